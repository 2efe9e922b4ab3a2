/*
 * policy/guess_table.h - the rows of the ledger: finding, taking, charging. Private to guess*.c; see guess.h.
 */
#ifndef POSTERN_POLICY_GUESS_TABLE_H
#define POSTERN_POLICY_GUESS_TABLE_H

#include "policy/guess.h"

/* Thousandths of a wrong secret that a level may have. */
uint32_t row_budget(enum guess_level);
uint32_t row_score(const struct guess_row *, enum guess_level, uint64_t now);
/* When a row will have room for one more wrong secret; 0: it has. */
uint64_t row_until(const struct guess_row *, enum guess_level, uint64_t now);
bool row_has_mark(const struct guess_row *, uint64_t secret);
void row_mark(struct guess_row *, uint64_t secret);
/* So many thousandths more it has by that: less when it is full. */
uint32_t row_charge(struct guess_row *, enum guess_level, uint32_t secrets, uint64_t now);
/* What the network, of that level, still holds against others for this account's sake. */
uint32_t row_lent(const struct guess_row *, enum guess_level network, uint64_t now);
/* Take thousandths off. */
void row_give_back(struct guess_row *, enum guess_level, uint32_t thousandths, uint64_t now);

/* NULL: none. */
const struct guess_row *row_look(const struct guess *, enum guess_level, uint64_t account, struct guess_network);
struct guess_row *row_find(struct guess *, enum guess_level, uint64_t account, struct guess_network);
/* Made when it is not there. */
struct guess_row *row_take(struct guess *, enum guess_level, uint64_t account, struct guess_network, uint64_t now);

bool lane_known(const struct guess *, uint64_t account, struct guess_network, uint64_t now);
void lane_note(struct guess *, uint64_t account, struct guess_network, uint64_t now);
bool network_same(struct guess_network, struct guess_network);

#endif
