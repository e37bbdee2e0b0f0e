// SPDX-License-Identifier: GPL-2.0-only
/* The families of metrics by name, and what each one writes. */
#include "views/prom.h"

#include <stddef.h>

#include "base/array.h"
#include "core/names.h"
#include "views/prom_line.h"

struct file {
	struct prom prom;
	const struct metrics *metrics;
	const struct prom_self *self;
	uint64_t all_series; /* of a whole file; 0: not known yet */
};

struct family {
	const char *name, *type, *help;
	void (*write)(struct file *file, const struct family *family);
	size_t offset; /* of what is written, where write() is one of the plain ones */
};

static const char *word(const char *name)
{
	return name ? name : "unknown";
}

static void metrics_u64(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", NULL);
	prom_u64(&file->prom, *(const uint64_t *)((const char *)file->metrics + family->offset));
}

static void metrics_ratio(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", NULL);
	prom_ratio(&file->prom, *(const double *)((const char *)file->metrics + family->offset));
}

static void self_u64(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", NULL);
	prom_u64(&file->prom, *(const uint64_t *)((const char *)file->self + family->offset));
}

static void self_seconds(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", NULL);
	prom_seconds(&file->prom, *(const int64_t *)((const char *)file->self + family->offset));
}

static void all_series(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", NULL);
	prom_u64(&file->prom, file->all_series);
}

static void tracked_connections(struct file *file, const struct family *family)
{
	const struct engine_counts *counts = &file->self->counts;

	prom_series(&file->prom, family->name, "", NULL);
	prom_u64(&file->prom, counts->live + counts->remaining);
}

static void put_states(struct file *file, const struct family *family,
		       const struct metrics_by_state *by)
{
	for (unsigned int i = 0; i < METRICS_STATES; i++) {
		prom_series(&file->prom, family->name, "", "state", metrics_state_name(i), NULL);
		prom_u64(&file->prom, by->now[i]);
	}
}

static void put_label(struct file *file, const struct family *family, const char *label,
		      const char *value, const struct metrics_by_state *by)
{
	for (unsigned int i = 0; i < METRICS_STATES; i++) {
		prom_series(&file->prom, family->name, "", label, value, "state",
			    metrics_state_name(i), NULL);
		prom_u64(&file->prom, by->now[i]);
	}
}

static void put_names(struct file *file, const struct family *family, const char *label,
		      const struct metrics_names *names)
{
	for (unsigned int i = 0; i < METRICS_NAMES_MAX; i++) {
		if (names->all[i].text)
			put_label(file, family, label, names->all[i].text, &names->all[i].by_state);
	}
	put_label(file, family, label, "other", &names->other);
	put_label(file, family, label, "unknown", &names->unknown);
}

static void build_info(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", "version", file->self->version, NULL);
	prom_u64(&file->prom, 1);
}

static void resident_memory(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", NULL);
	prom_u64(&file->prom, file->self->resident_bytes);
}

static void running(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", NULL);
	prom_u64(&file->prom, !file->self->is_stopped);
}

static void cgroup_connections(struct file *file, const struct family *family)
{
	put_names(file, family, "cgroup", file->metrics->cgroups);
}

static void comm_connections(struct file *file, const struct family *family)
{
	put_names(file, family, "comm", file->metrics->comms);
}

static void connection_duration(struct file *file, const struct family *family)
{
	for (unsigned int role = 0; role < METRICS_ROLES; role++)
		prom_histogram(&file->prom, family->name, "role", word(name_role(role)),
			       &file->metrics->duration[role], &metrics_duration_bounds);
}

static void connections(struct file *file, const struct family *family)
{
	put_states(file, family, &file->metrics->connections);
}

static void connections_closed(struct file *file, const struct family *family)
{
	for (unsigned int role = 0; role < METRICS_ROLES; role++) {
		for (unsigned int first = 0; first < METRICS_FIRSTS; first++) {
			for (unsigned int how = 0; how < METRICS_HOWS; how++) {
				prom_series(&file->prom, family->name, "", "role",
					    word(name_role(role)), "first", word(name_first(first)),
					    "how", word(name_closed(how)), NULL);
				prom_u64(&file->prom, file->metrics->closed[role][first][how]);
			}
		}
	}
}

static void connections_failed(struct file *file, const struct family *family)
{
	for (unsigned int role = 0; role < METRICS_ROLES; role++) {
		for (unsigned int i = 0; i < METRICS_FAILURES; i++) {
			prom_series(&file->prom, family->name, "", "role", word(name_role(role)),
				    "reason", word(name_opened(OPENED_REFUSED + i)), NULL);
			prom_u64(&file->prom, file->metrics->failed[role][i]);
		}
	}
}

static void connections_incomplete(struct file *file, const struct family *family)
{
	for (unsigned int bit = 0; bit < METRICS_INCOMPLETE; bit++) {
		prom_series(&file->prom, family->name, "", "reason",
			    word(name_incomplete(1U << bit)), NULL);
		prom_u64(&file->prom, file->metrics->incomplete[bit]);
	}
}

static void connections_opened(struct file *file, const struct family *family)
{
	for (unsigned int role = 0; role < METRICS_ROLES; role++) {
		prom_series(&file->prom, family->name, "", "role", word(name_role(role)), NULL);
		prom_u64(&file->prom, file->metrics->opened[role]);
	}
}

static void events_lost(struct file *file, const struct family *family)
{
	static const char *const words[LOST_MAX] = {
		[LOST_RING_FULL] = "ring_full",	    [LOST_STORAGE] = "storage",
		[LOST_UNDECODABLE] = "undecodable", [LOST_WALK] = "walk",
		[LOST_NESTED] = "nested",	    [LOST_SEGMENTS] = "segments",
		[LOST_UNSEEN] = "unseen",	    [LOST_REQUESTS] = "requests",
	};

	for (unsigned int why = 0; why < LOST_MAX; why++) {
		prom_series(&file->prom, family->name, "", "reason", words[why], NULL);
		prom_u64(&file->prom, file->self->counts.lost[why]);
	}
}

static void handshake(struct file *file, const struct family *family)
{
	for (unsigned int role = 0; role < METRICS_ROLES; role++)
		prom_histogram(&file->prom, family->name, "role", word(name_role(role)),
			       &file->metrics->handshake[role], &metrics_handshake_bounds);
}

static void port_connections(struct file *file, const struct family *family)
{
	for (unsigned int i = 0; i < file->metrics->by_ports_len; i++) {
		struct text *port = &file->prom.scratch;

		text_clear(port);
		text_u64(port, file->metrics->by_ports[i]);
		text_char(port, '\0');
		file->prom.text->failed |= port->failed;
		put_label(file, family, "port", port->failed ? "" : port->data,
			  &file->metrics->ports[i]);
	}
}

static void resets(struct file *file, const struct family *family)
{
	prom_series(&file->prom, family->name, "", "direction", "received", "reason", "unknown",
		    NULL);
	prom_u64(&file->prom, file->metrics->resets_received);
	for (unsigned int i = 0; i < METRICS_REASONS; i++) {
		prom_series(&file->prom, family->name, "", "direction", "sent", "reason",
			    metrics_reason_name(i), NULL);
		prom_u64(&file->prom, file->metrics->resets_sent[i]);
	}
}

static void retransmitted_segments(struct file *file, const struct family *family)
{
	const struct metrics *metrics = file->metrics;

	prom_series(&file->prom, family->name, "", "flag", "fin", NULL);
	prom_u64(&file->prom, metrics->fin_retrans);
	prom_series(&file->prom, family->name, "", "flag", "syn", NULL);
	prom_u64(&file->prom, metrics->syn_retrans);
	prom_series(&file->prom, family->name, "", "flag", "synack", NULL);
	prom_u64(&file->prom, metrics->synack_retrans);
}

static void segments_received(struct file *file, const struct family *family)
{
	static const char *const flags[] = { "fin", "syn", "rst", "psh", "ack", "urg" };

	for (unsigned int bit = 0; bit < ARRAY_SIZE(flags); bit++) {
		prom_series(&file->prom, family->name, "", "direction", "rx", "flag", flags[bit],
			    NULL);
		prom_u64(&file->prom, file->self->segments_received[bit]);
	}
}

static void state_oldest_age(struct file *file, const struct family *family)
{
	for (unsigned int i = 0; i < METRICS_STATES; i++) {
		prom_series(&file->prom, family->name, "", "state", metrics_state_name(i), NULL);
		prom_seconds(&file->prom, (int64_t)file->metrics->oldest_ns[i]);
	}
}

static void state_seconds(struct file *file, const struct family *family)
{
	for (unsigned int i = 0; i < METRICS_STATES; i++)
		prom_histogram(&file->prom, family->name, "state", metrics_state_name(i),
			       &file->metrics->states[i], &metrics_state_bounds);
}

static void stuck_connections(struct file *file, const struct family *family)
{
	for (unsigned int i = 0; i < METRICS_STATES; i++) {
		if (!metrics_stuck_ns(i))
			continue;
		prom_series(&file->prom, family->name, "", "state", metrics_state_name(i), NULL);
		prom_u64(&file->prom, file->metrics->stuck.now[i]);
	}
}

static void stuck_threshold(struct file *file, const struct family *family)
{
	for (unsigned int i = 0; i < METRICS_STATES; i++) {
		if (!metrics_stuck_ns(i))
			continue;
		prom_series(&file->prom, family->name, "", "state", metrics_state_name(i), NULL);
		prom_seconds(&file->prom, (int64_t)metrics_stuck_ns(i));
	}
}

#define METRIC(field) metrics_u64, offsetof(struct metrics, field)
#define RATIO(field) metrics_ratio, offsetof(struct metrics, field)
#define SELF(field) self_u64, offsetof(struct prom_self, field)
#define SELF_TIME(field) self_seconds, offsetof(struct prom_self, field)

/* clang-format off */
static const struct family families[] = {
	{ "connlife_accept_queue_connections", "gauge",
	  "Connections that wait for accept(), of all listeners.", METRIC(queued) },
	{ "connlife_accept_queue_largest_ratio", "gauge",
	  "Length of the fullest accept queue by its backlog.", RATIO(queue_ratio) },
	{ "connlife_accept_queue_overflows_total", "counter",
	  "Connections dropped because an accept queue was full (ListenOverflows).",
	  METRIC(overflows) },
	{ "connlife_build_info", "gauge", "The version; always 1.", build_info, 0 },
	{ "connlife_cgroup_connections", "gauge",
	  "Connections by control group and state; above 50 groups the rest is other.",
	  cgroup_connections, 0 },
	{ "connlife_comm_connections", "gauge",
	  "Connections by the owner's name and state; above 50 names the rest is other.",
	  comm_connections, 0 },
	{ "connlife_connection_duration_seconds", "histogram",
	  "From the first SYN to the end without TIME_WAIT, of connections that were established.",
	  connection_duration, 0 },
	{ "connlife_connections", "gauge", "Connections there are now, by state.", connections, 0 },
	{ "connlife_connections_closed_total", "counter",
	  "Connections that were established and are over, TIME_WAIT too: who closed first, and how.",
	  connections_closed, 0 },
	{ "connlife_connections_failed_total", "counter",
	  "Attempts of which no connection came.", connections_failed, 0 },
	{ "connlife_connections_incomplete_total", "counter",
	  "Connections that ended and whose life was not seen whole.", connections_incomplete, 0 },
	{ "connlife_connections_opened_total", "counter",
	  "Connections that became established.", connections_opened, 0 },
	{ "connlife_ephemeral_ports_used_ratio", "gauge",
	  "Local ports in use towards the busiest destination by the size of ip_local_port_range.",
	  RATIO(ports_ratio) },
	{ "connlife_events_lost_total", "counter",
	  "Events of the kernel that were lost, or came incomplete.", events_lost, 0 },
	{ "connlife_events_total", "counter", "Events of the kernel.", SELF(counts.events) },
	{ "connlife_handshake_seconds", "histogram",
	  "From the SYN to ESTABLISHED, of connections that became established.", handshake, 0 },
	{ "connlife_json_records_dropped_total", "counter",
	  "JSON records that could not be written and had no room to wait.", SELF(json_dropped) },
	{ "connlife_last_write_timestamp_seconds", "gauge",
	  "When this file was written.", SELF_TIME(write_ns) },
	{ "connlife_listeners", "gauge", "Sockets in LISTEN.", METRIC(listeners) },
	{ "connlife_port_connections", "gauge",
	  "Connections by local port (else remote port) and state.", port_connections, 0 },
	{ "connlife_received_bytes_total", "counter",
	  "Bytes that applications received, of connections that ended.", METRIC(received_bytes) },
	{ "connlife_resets_total", "counter", "Connections that a reset ended.", resets, 0 },
	{ "connlife_resident_memory_bytes", "gauge", "Memory of the exporter.", resident_memory, 0 },
	{ "connlife_retransmitted_segments_total", "counter",
	  "Segments with these flags that were sent again, of connections that ended.",
	  retransmitted_segments, 0 },
	{ "connlife_running", "gauge",
	  "1; 0 in the file that an exporter leaves when it is stopped (--at-stop keep).", running,
	  0 },
	{ "connlife_segments_total", "counter",
	  "Segments with this flag that the watched interfaces received.", segments_received, 0 },
	{ "connlife_sent_bytes_total", "counter",
	  "Bytes of applications that the other end acknowledged, of connections that ended.",
	  METRIC(sent_bytes) },
	{ "connlife_series", "gauge", "Series in this file.", all_series, 0 },
	{ "connlife_start_time_seconds", "gauge", "When the exporter started.", SELF_TIME(start_ns) },
	{ "connlife_state_oldest_age_seconds", "gauge",
	  "How long the oldest connection is in this state, at least; 0 without one.",
	  state_oldest_age, 0 },
	{ "connlife_state_seconds", "histogram",
	  "Time in each state, of connections that ended.", state_seconds, 0 },
	{ "connlife_stuck_connections", "gauge",
	  "Connections longer in this state than connlife_stuck_threshold_seconds.",
	  stuck_connections, 0 },
	{ "connlife_stuck_threshold_seconds", "gauge",
	  "How long is longer than usual.", stuck_threshold, 0 },
	{ "connlife_table_full_total", "counter",
	  "Connections not tracked, or told early, because the table was full.",
	  SELF(counts.table_full) },
	{ "connlife_textfile_write_errors_total", "counter",
	  "Times that this file could not be written.", SELF(write_errors) },
	{ "connlife_time_wait_connections_ratio", "gauge",
	  "TIME_WAITs by tcp_max_tw_buckets, of the network namespace where that is most.",
	  RATIO(time_wait_ratio) },
	{ "connlife_tracked_connections", "gauge",
	  "Connections in the table.", tracked_connections, 0 },
};
/* clang-format on */

/* What was not asked for is left out, and what is not known. */
static bool is_told(const struct file *file, const struct family *family)
{
	const struct metrics *metrics = file->metrics;

	if (family->write == resident_memory)
		return file->self->resident_bytes;
	if (family->write == port_connections)
		return metrics->by_ports;
	if (family->write == comm_connections)
		return metrics->comms;
	return family->write != cgroup_connections || metrics->cgroups;
}

static void put_about(struct text *text, const char *what, const char *name, const char *about)
{
	text_str(text, what);
	text_str(text, name);
	text_char(text, ' ');
	text_str(text, about);
	text_char(text, '\n');
}

static void put_all(struct file *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!is_told(file, &families[i]))
			continue;
		put_about(file->prom.text, "# HELP ", families[i].name, families[i].help);
		put_about(file->prom.text, "# TYPE ", families[i].name, families[i].type);
		families[i].write(file, &families[i]);
	}
}

void prom_write(struct text *text, const struct metrics *metrics, const struct prom_self *self)
{
	struct file file = { .prom = { .text = text }, .metrics = metrics, .self = self };

	/* once to count */
	put_all(&file);
	file.all_series = file.prom.series;
	if (!text->failed)
		text_clear(text);
	put_all(&file);
	text_free(&file.prom.scratch);
}
