/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYNs from addresses that nobody has, for the load generator. Sends what it is
 * told to send; knows nothing of servers, clients and time.
 */
#ifndef CONNLIFE_TOOLS_FLOOD_H
#define CONNLIFE_TOOLS_FLOOD_H

#include <netinet/in.h>

#define FLOOD_NETWORK "10.80.0.0/16"

/* A raw socket for flood_send(); ends the program if there is none (needs CAP_NET_RAW). */
int flood_open(void);

/*
 * One SYN to address:port (network order). Its source address and port follow from nth: none
 * comes twice before four thousand million. 0, or -1 with errno.
 */
int flood_send(int fd, struct in_addr address, in_port_t port, unsigned long nth);

#endif
