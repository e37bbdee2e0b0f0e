// SPDX-License-Identifier: GPL-2.0-only
/* From the path of a control group to the name of a unit or container. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "core/unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *path, *unit;
} paths[] = {
	{ "/", "" },
	{ "", "" },
	{ "/system.slice/nginx.service", "nginx.service" },
	{ "/system.slice/nginx.service/", "nginx.service" },
	{ "/system.slice/nginx.service/workers", "nginx.service" },
	{ "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/a.service", "a.service" },
	{ "/system.slice/docker-" ID ".scope", "docker-0123456789ab" },
	{ "/system.slice/docker-" ID ".scope/init.scope", "docker-0123456789ab" },
	{ "/docker/" ID, "docker-0123456789ab" },
	{ "/machine.slice/libpod-" ID ".scope/container", "libpod-0123456789ab" },
	{ "/kubepods.slice/kubepods-pod12.slice/cri-containerd-" ID ".scope",
	  "cri-containerd-0123456789ab" },
	{ "/kubepods/burstable/pod1234-5678/" ID, "pod1234-5678" },
	{ "/kubepods/pod1234-5678", "pod1234-5678" },
	{ "/" ID, "0123456789ab" },
	{ "/lxc.payload.web", "lxc.payload.web" },
	{ "/system.slice", "system.slice" },
	{ "/jobs/batch", "batch" },
	{ "/init.scope", "init.scope" },
	{ "/docker-" ID "0.scope", "docker-" ID "0.scope" }, /* one digit too many */
	{ "/.scope", ".scope" },
};

static void test_paths(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char unit[128];

		unit_of_cgroup(paths[i].path, unit, sizeof(unit));
		assert_string_equal(unit, paths[i].unit);
	}
}

static void test_cut_off(void **ctx)
{
	char unit[8];

	unit_of_cgroup("/system.slice/nginx.service", unit, sizeof(unit));
	assert_string_equal(unit, "nginx.s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_cut_off),
	};

	return cmocka_run_group_tests_name("unit_name", tests, NULL, NULL);
}
