/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps of the usual paths through RFC 9293 3.3.2, which follow from what is
 * told before and after them. Where only beginnings and ends are asked for the
 * kernel half is silent about these, and the user half puts them in again,
 * without their times. Both halves compile this file.
 */
#ifndef CONNLIFE_IMPLIED_H
#define CONNLIFE_IMPLIED_H

/* The state that lies next on the usual path from one to another; ST_NONE if none does. */
static inline __u8 implied_next(__u8 from, __u8 to)
{
	switch (from) {
	case ST_SYN_SENT:
		return to == ST_ESTABLISHED || to == ST_FIN_WAIT1 || to == ST_FIN_WAIT2 ||
				       to == ST_CLOSE_WAIT || to == ST_LAST_ACK
			       ? ST_ESTABLISHED
			       : ST_NONE;
	case ST_ESTABLISHED:
		if (to == ST_CLOSE_WAIT || to == ST_LAST_ACK)
			return ST_CLOSE_WAIT;
		return to == ST_FIN_WAIT1 || to == ST_FIN_WAIT2 ? ST_FIN_WAIT1 : ST_NONE;
	case ST_FIN_WAIT1:
		return to == ST_FIN_WAIT2 ? ST_FIN_WAIT2 : ST_NONE;
	case ST_CLOSE_WAIT:
		return to == ST_LAST_ACK ? ST_LAST_ACK : ST_NONE;
	default:
		return ST_NONE;
	}
}

#endif
