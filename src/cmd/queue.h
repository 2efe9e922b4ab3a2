/*
 * cmd/queue.h - private to queue*.c: what `postern queue` learns from 4_spool, and the two ways to print it.
 *
 * Owner     struct queue_row and queue_person hold copies of their own; queue_rows_free() frees them.
 */
#ifndef POSTERN_CMD_QUEUE_H
#define POSTERN_CMD_QUEUE_H

#include "proc/peers.h"

struct queue_row {
	struct queue_entry entry;       /* spans point into text */
	char *text;
};

struct queue_person {
	struct queue_recipient recipient;
	char *text;
};

struct queue_answer {
	struct queue_row *row;
	size_t rows, rows_max;
	struct queue_person *person;
	size_t persons, persons_max;
	struct queue_end end;
	char words[512];                /* end.words, NUL-terminated */
};

void queue_answer_free(struct queue_answer *);
/* The rows and persons so far are not wanted any more; their array is used again. */
void queue_answer_empty(struct queue_answer *);
bool queue_row_add(struct queue_answer *, const struct queue_entry *);
bool queue_person_add(struct queue_answer *, const struct queue_recipient *);

/* What a list has printed so far. */
struct queue_total {
	size_t rows;
	uint64_t octets;
};

/* One message with its recipients, on stdout; as JSON: false when memory is short. */
void queue_print(struct queue_answer *);
bool queue_print_json(struct queue_answer *);
/* A list comes page by page, nearly in the order of arrival and within a page in that of the ids; then its end. */
void queue_print_page(struct queue_answer *, struct queue_total *);
void queue_print_total(const struct queue_total *);
bool queue_print_json_page(struct queue_answer *, struct queue_total *);
void queue_print_json_total(const struct queue_total *);
/* NUL-terminated. */
void queue_id_text(uint64_t id, char out[16]);

#endif
