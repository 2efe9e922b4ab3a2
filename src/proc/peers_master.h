/*
 * proc/peers_master.h - what 0_master says to its children, and they to it
 *
 * The order, and who says what, stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_MASTER_H
#define POSTERN_PROC_PEERS_MASTER_H

#include "base/fields.h"

struct master_certificate { uint32_t index; struct span chain, key; };
struct master_listen { uint32_t service; struct span address; uint32_t port; };    /* enum conf_service; 99: control socket */
enum { MASTER_LISTEN_CONTROL = 99, MASTER_LISTEN_LEDGER = 98, MASTER_LISTEN_HISTORY = 97 };
struct master_peer { uint32_t role, slot, life; };      /* life: counts those that had the slot, so that none is taken for the next */
struct child_alarm { struct span event, login, words; };        /* event: "slowed", "held", "locked", "spray" */
/* Ordered by domain, then by selector. count 0: there are none. */
struct master_dkim { uint32_t index, count, algorithm; struct span domain, selector, key; };

extern const struct layout master_dkim_layout, master_certificate_layout, master_listen_layout, master_peer_layout, child_alarm_layout;

#endif
