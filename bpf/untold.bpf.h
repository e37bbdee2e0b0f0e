/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which steps are left untold where only beginnings and ends are asked for:
 * those that these imply, unless one would name an owner that nothing else does.
 */
#ifndef CONNLIFE_UNTOLD_BPF_H
#define CONNLIFE_UNTOLD_BPF_H

const volatile bool only_ends __weak; /* nobody asks when a step between was */

static __always_inline bool is_implied(int old, int new)
{
	/* while a scan is under way every step says that its socket is there */
	return only_ends && !scanning && implied_next(old, new) == new;
}

static __always_inline bool may_name_owner(int new)
{
	return new == ST_FIN_WAIT1 || new == ST_LAST_ACK;
}

/* Whatever the socket: not even worth a look at it. */
static __always_inline bool goes_untold(int old, int new)
{
	return is_implied(old, new) && !may_name_owner(new);
}

static __always_inline bool names_no_new_owner(const struct sock *sk, const struct sock_note *note,
					       int old, int new)
{
	if (!is_implied(old, new))
		return false;
	if (!current_is_caller(sk))
		return true;
	return note ? note->user_source >= OWNER_CLOSE : reader_is_known(sk);
}

#endif
