// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the command line. The input is its words, parted by newlines.
 * Where the program would end it jumps out instead, without a word (the
 * linker's --wrap); what argp still held then is freed by hand. argp's own options
 * (--help, --version, and --HANG, which sleeps) are left out. What is accepted
 * must make sense.
 */
#include <argp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <linux/types.h>
#include <sanitizer/allocator_interface.h>

#include "feed.h"
#include "options.h"

#define WORDS_MAX 64
#define HELD_MAX 64

error_t __real_argp_parse(const struct argp *argp, int argc, char **argv, unsigned int flags,
			  int *index, void *input);
error_t __wrap_argp_parse(const struct argp *argp, int argc, char **argv, unsigned int flags,
			  int *index, void *input);
_Noreturn void __wrap_wrong_usage(const char *format, ...);
void __wrap_argp_state_help(const struct argp_state *state, FILE *stream, unsigned int flags);

static jmp_buf refused;
static _Thread_local bool is_parsing; /* libFuzzer's own threads allocate too */
static const volatile void *held[HELD_MAX];
static unsigned int held_len;

static void on_malloc(const volatile void *block, size_t size)
{
	if (is_parsing && held_len < HELD_MAX)
		held[held_len++] = block;
}

static void on_free(const volatile void *block)
{
	for (unsigned int i = 0; is_parsing && i < held_len; i++) {
		if (held[i] == block)
			held[i--] = held[--held_len];
	}
}

_Noreturn static void leave(void)
{
	is_parsing = false;
	longjmp(refused, 1);
}

error_t __wrap_argp_parse(const struct argp *argp, int argc, char **argv, unsigned int flags,
			  int *index, void *input)
{
	error_t err;

	is_parsing = true;
	err = __real_argp_parse(argp, argc, argv,
				flags | ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP, index, input);
	is_parsing = false;
	if (err)
		leave();
	return err;
}

void __wrap_wrong_usage(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	leave();
}

void __wrap_argp_state_help(const struct argp_state *state, FILE *stream, unsigned int flags)
{
	leave();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	stderr = fopen("/dev/null", "w");
	stdout = fopen("/dev/null", "w");
	MUST(stderr && stdout);
	MUST(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free));
	return 0;
}

static bool is_ours(const char *text, const char *begin, const char *end)
{
	return !text || (text >= begin && text < end);
}

static void check_filter(const struct options *options)
{
	const struct filter *filter = &options->filter;

	MUST(filter->nets_len <= FILTER_NETS_MAX);
	for (unsigned int i = 0; i < filter->nets_len; i++)
		MUST(filter->nets[i].bits <= 128);
	MUST(!filter->family || filter->family == 4 || filter->family == 6);
	MUST(filter->pid <= INT32_MAX);
	MUST(!(filter->lports[0] & 1) && !(filter->rports[0] & 1) && !(options->by_ports[0] & 1));
	if (options->netns || options->cgroup || filter->pid || filter->nets_len || filter->family)
		MUST(filter->active);
}

static void check_texts(const struct options *options, const char *begin, const char *end)
{
	MUST(is_ours(options->textfile, begin, end) && is_ours(options->json_path, begin, end));
	MUST(is_ours(options->read_path, begin, end) && is_ours(options->record_path, begin, end));
	MUST(is_ours(options->netns, begin, end) && is_ours(options->cgroup, begin, end));
	MUST(options->interfaces_len <= OPTIONS_INTERFACES_MAX);
	for (unsigned int i = 0; i < options->interfaces_len; i++)
		MUST(is_ours(options->interfaces[i], begin, end) && options->interfaces[i]);
}

static void check_options(const struct options *options)
{
	uint32_t ring = options->ring_bytes;

	MUST(options->command <= COMMAND_CHECK);
	MUST(ring >= 4096 && ring <= 1U << 30 && !(ring & (ring - 1)));
	MUST(options->max_connections && options->max_connections <= 100000000);
	MUST(options->duration_s <= INT32_MAX && options->interval_s <= INT32_MAX);
	MUST(options->older_than_s <= INT32_MAX && options->interim_s <= INT32_MAX);
	MUST(!(options->json && options->columns.csv));
	MUST(!(options->read_path && options->record_path));
	if (options->command == COMMAND_EXPORT)
		MUST(options->textfile || options->json_path);
	else
		MUST(!options->textfile && !options->interim_s && !options->json_path);
	check_filter(options);
	options_want_census(options);
	options_want_story(options);
}

/* In a block that ends with the last word. */
static int split(char *words, size_t size, char **argv)
{
	int argc = 1;
	char *at = words, *end = words + size;

	argv[0] = words;
	while (at < end && argc < WORDS_MAX) {
		char *newline = memchr(at, '\n', (size_t)(end - at));

		argv[argc++] = at;
		if (!newline)
			break;
		*newline = '\0';
		at = newline + 1;
	}
	argv[argc] = NULL;
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct options options;
	static char *argv[WORDS_MAX + 1];
	static char *words;
	static int argc;

	words = malloc(size + 1);
	MUST(words);
	if (size)
		memcpy(words, data, size);
	words[size] = '\0';
	argc = split(words, size, argv);
	held_len = 0;
	if (!setjmp(refused)) {
		options_parse(&options, argc, argv);
		check_options(&options);
		check_texts(&options, words, words + size + 1);
	} else {
		for (unsigned int i = 0; i < held_len; i++)
			free((void *)held[i]);
	}
	free(words);
	return 0;
}
