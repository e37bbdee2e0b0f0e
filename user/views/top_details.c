// SPDX-License-Identifier: GPL-2.0-only
/* All about one connection: a label and a few words a line. */
#include <string.h>

#include "core/names.h"
#include "views/top.h"
#include "views/top_format.h"

#define LABEL_COLUMNS 13

/* Where the next line goes. */
struct pane {
	struct top_page *page;
	struct text *text;
	const struct top_scene *scene;
	const struct top_row *row;
	const struct top_details *details;
	unsigned int at, end;
};

/* What is written to pane->text until close_line() stands behind the label. */
static void open_line(struct pane *pane, const char *label, unsigned int look)
{
	/* beyond the end: laid out, never shown */
	unsigned int at = pane->at < pane->end ? pane->at : UINT16_MAX;

	top_page_put(pane->page, at, 1, LOOK_BOLD, label);
	top_page_open(pane->page, at, LABEL_COLUMNS, 0, look);
	pane->at++;
}

static void close_line(struct pane *pane)
{
	top_page_close(pane->page);
}

static void word(struct pane *pane, const char *str)
{
	text_str(pane->text, str ? str : "-");
}

static void draw_state(struct pane *pane)
{
	const struct top_row *row = pane->row;

	open_line(pane, "state", top_state_look(row->state));
	word(pane, name_state(row->state));
	if (row->is_minisock)
		word(pane, ", no socket any more");
	word(pane, ", for ");
	top_format_age(pane->text, pane->scene->now_ns, row->since_ns, row->since_is_bound);
	close_line(pane);
}

static void draw_life(struct pane *pane)
{
	const struct top_details *details = pane->details;

	open_line(pane, "began", LOOK_PLAIN);
	if (details->start_ns != UNKNOWN_NS) {
		top_format_span(pane->text, pane->scene->now_ns > details->start_ns
						    ? pane->scene->now_ns - details->start_ns
						    : 0);
		word(pane, " ago");
	} else {
		word(pane, details->preexisting ? "before the tracer" : "-");
	}
	word(pane, "; role ");
	word(pane, name_role(pane->row->role));
	close_line(pane);
}

static void draw_identity(struct pane *pane)
{
	const struct ev_tuple *tuple = &pane->row->tuple;

	open_line(pane, "local", LOOK_PLAIN);
	top_endpoint(pane->text, tuple, tuple->laddr, tuple->lport);
	close_line(pane);
	open_line(pane, "remote", LOOK_PLAIN);
	top_endpoint(pane->text, tuple, tuple->raddr, tuple->rport);
	close_line(pane);
	open_line(pane, "netns", LOOK_PLAIN);
	top_format_count(pane->text,
			 tuple->netns_inum ? (int64_t)tuple->netns_inum : UNKNOWN_COUNT);
	word(pane, "; cookie ");
	top_format_count(pane->text,
			 pane->row->cookie ? (int64_t)pane->row->cookie : UNKNOWN_COUNT);
	close_line(pane);
}

static void draw_owner(struct pane *pane)
{
	const struct top_details *details = pane->details;

	open_line(pane, "owner", LOOK_PLAIN);
	top_owner(pane->text, pane->row->pid, pane->row->comm);
	if (pane->row->pid) {
		word(pane, ", known by ");
		word(pane, name_owner_source(details->pid_source));
	}
	word(pane, "; uid ");
	top_format_count(pane->text,
			 details->uid == UINT32_MAX ? UNKNOWN_COUNT : (int64_t)details->uid);
	close_line(pane);
	open_line(pane, "cgroup", LOOK_PLAIN);
	if (details->has_cgroup)
		text_visible(pane->text, details->cgroup, strlen(details->cgroup), SIZE_MAX);
	else
		word(pane, NULL);
	close_line(pane);
}

/* Why there is no descriptor of it, as far as its flags tell. */
static const char *why_not_held(const struct pane *pane)
{
	const struct top_details *details = pane->details;

	if (pane->row->is_minisock)
		return "nobody: only the kernel remembers it";
	if (!details->has_waiting)
		return NULL;
	if (details->waiting.flags & EVF_DEAD)
		return "nobody: an orphan, every descriptor of it is closed";
	if (!(details->waiting.flags & EVF_HAS_FILE))
		return "nobody yet: it waits in the accept queue";
	return NULL;
}

static void draw_holders(struct pane *pane)
{
	const struct top_details *details = pane->details;

	if (!details->holders_len) {
		open_line(pane, "held by", LOOK_PLAIN);
		word(pane, why_not_held(pane));
		close_line(pane);
	}
	for (unsigned int i = 0; i < details->holders_len; i++) {
		open_line(pane, i ? "" : "held by", LOOK_PLAIN);
		top_owner(pane->text, details->holders[i].pid, details->holders[i].comm);
		word(pane, " fd ");
		text_u64(pane->text, details->holders[i].fd);
		if (i + 1 == details->holders_len && details->holders_left_out) {
			word(pane, " and ");
			text_u64(pane->text, details->holders_left_out);
			word(pane, " more descriptors");
		}
		close_line(pane);
	}
}

static void draw_bytes(struct pane *pane)
{
	const struct top_row *row = pane->row;

	open_line(pane, "bytes", LOOK_PLAIN);
	word(pane, "sent and acknowledged ");
	top_format_count(pane->text, row->tx_bytes);
	word(pane, ", received ");
	top_format_count(pane->text, row->rx_bytes);
	close_line(pane);
	open_line(pane, "rate", LOOK_PLAIN);
	word(pane, "out ");
	top_format_bytes(pane->text, row->tx_rate);
	word(pane, ", in ");
	top_format_bytes(pane->text, row->rx_rate);
	word(pane, " bytes a second");
	close_line(pane);
}

static void draw_queues(struct pane *pane)
{
	const struct top_details *details = pane->details;

	open_line(pane, "queues", LOOK_PLAIN);
	word(pane, "unread ");
	top_format_count(pane->text, top_details_unread(details));
	word(pane, ", unsent ");
	top_format_count(pane->text, top_details_unsent(details));
	word(pane, ", not acknowledged ");
	top_format_count(pane->text, top_details_unacked(details));
	close_line(pane);
}

static const char *timer_name(const struct ev_waiting *waiting)
{
	switch (waiting->timer) {
	case TIMER_RETRANSMIT:
		return "retransmission";
	case TIMER_PROBE:
		return "probe of the closed window";
	case TIMER_SOCKET:
		return waiting->state == ST_FIN_WAIT2 && (waiting->flags & EVF_DEAD)
			       ? "end of FIN_WAIT2"
			       : "keepalive";
	case TIMER_MINISOCK:
		return waiting->state == ST_TIME_WAIT ? "end of TIME_WAIT" : "end of FIN_WAIT2";
	default:
		return "none";
	}
}

static void draw_timer(struct pane *pane)
{
	const struct ev_waiting *waiting = &pane->details->waiting;
	int64_t left = (int64_t)waiting->timer_ns - pane->scene->now_ns;

	open_line(pane, "timer", LOOK_PLAIN);
	if (!pane->details->has_waiting) {
		word(pane, NULL);
	} else {
		word(pane, timer_name(waiting));
		if (waiting->timer_ns) {
			word(pane, " in ");
			top_format_span(pane->text, left > 0 ? left : 0);
		}
		if (waiting->retransmits) {
			word(pane, ", sent again without an answer ");
			text_u64(pane->text, waiting->retransmits);
		}
		if (waiting->probes) {
			word(pane, ", probes without an answer ");
			text_u64(pane->text, waiting->probes);
		}
	}
	close_line(pane);
}

static void draw_segments(struct pane *pane)
{
	const struct top_details *details = pane->details;
	const struct ev_stats *stats = &details->waiting.stats;
	bool is_known = details->has_waiting && !details->waiting.is_minisock;
	int64_t last_ns = (int64_t)details->waiting.last_segment_ns;

	open_line(pane, "segments", LOOK_PLAIN);
	word(pane, "out ");
	top_format_count(pane->text, is_known ? (int64_t)stats->segs_out : UNKNOWN_COUNT);
	word(pane, ", in ");
	top_format_count(pane->text, is_known ? (int64_t)stats->segs_in : UNKNOWN_COUNT);
	word(pane, ", sent again ");
	top_format_count(pane->text, pane->row->retrans);
	word(pane, "; the last ");
	if (is_known && last_ns && pane->scene->now_ns >= last_ns) {
		top_format_span(pane->text, pane->scene->now_ns - last_ns);
		word(pane, " ago");
	} else {
		word(pane, NULL);
	}
	close_line(pane);
	open_line(pane, "round trip", LOOK_PLAIN);
	word(pane, "smoothed ");
	top_format_ms(pane->text, pane->row->srtt_us);
	word(pane, " ms, least ");
	top_format_ms(pane->text, is_known && stats->min_rtt_us != UINT32_MAX
					  ? (int64_t)stats->min_rtt_us
					  : UNKNOWN_COUNT);
	word(pane, " ms");
	close_line(pane);
}

static void draw_all(struct pane *pane)
{
	draw_state(pane);
	draw_identity(pane);
	draw_owner(pane);
	draw_holders(pane);
	draw_queues(pane);
	draw_timer(pane);
	draw_bytes(pane);
	draw_segments(pane);
	draw_life(pane);
}

void top_draw_details(struct top_page *page, const struct top_scene *scene, unsigned int row,
		      unsigned int end)
{
	struct pane pane = { .page = page,
			     .text = &page->text,
			     .scene = scene,
			     .row = toplist_row(scene->list, scene->settings->chosen),
			     .details = scene->details,
			     .at = row,
			     .end = end };

	if (pane.row && scene->details->found)
		draw_all(&pane);
	else
		top_page_put(page, row, 1, LOOK_PLAIN, "This connection is over.");
}
