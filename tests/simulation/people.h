/*
 * people.h - invented people who send mail, day by day. They know nothing of the rules that they are measured by.
 *
 * A person has a kind, a rate of its own, places that it sends from and programs that it sends with. Per kind:
 *
 * OFFICE    works on weekdays (95 %; weekends 15 %); messages a day lognormal, median 14 for the median person (between persons
 *           sigma 0.6, between days 0.45); seven in ten days at the office, else at home; one message in six by telephone;
 *           a trip every 60 days (one in ten persons: every 14) of 2 to 5 days: another hotel each time, sometimes another country
 * HOME      60 % of days; median 3; at home, whose addresses stay (75 %), change every month (15 %) or every day (10 %), among 300 networks of
 *           the provider; one day in 1,000 brings another provider
 * PHONE     80 % of days; median 4; half of it in the providers' networks (40 of them, another one every third message)
 * CLUB      as HOME, and once in 30 days a newsletter to 300 (sigma 60, at most 450), one by one or in pieces of up to 100
 * KEY       an application on a server: every day, lognormal with a median between 5 and 20,000 by person; the operator has set limit=
 *           for those beyond 60 a day (four times the median), and named the network, as the manual says; the server moves one day in 1,000
 * DEVICE    printer or cron: median 3 a day from one network, one recipient; one day in 100 a storm of 50 to 200
 * NOMAD     another network every week, for ever; median 10 messages a day
 *
 * Recipients of a message: one 70 %, 2 to 4 22 %, 5 to 15 7 %, 16 to 60 1 %. One day in 400 somebody writes to everybody he knows (60 to
 * 250, singly addressed or as one message; OFFICE from the office, others from home). A new network is one of 14 million
 * (a /24); the networks of one provider lie in four blocks (/16). Bounces: one in 50.
 */
#ifndef POSTERN_TESTS_SIMULATION_PEOPLE_H
#define POSTERN_TESTS_SIMULATION_PEOPLE_H

#include "policy/habit.h"

enum kind { KIND_OFFICE, KIND_HOME, KIND_PHONE, KIND_CLUB, KIND_KEY, KIND_DEVICE, KIND_NOMAD, KINDS };
enum { MESSAGES_MAX = 200000, PROVIDER_NETWORKS = 40, POOL_NETWORKS = 300, BLOCKS = 4 };

struct dice { uint64_t state; };

struct person {
	enum kind kind;
	double rate;                    /* median of messages a day */
	struct origin office, home, phone, away;
	uint64_t provider[PROVIDER_NETWORKS], pool[POOL_NETWORKS];
	unsigned home_lasts;            /* days; 0: for ever */
	unsigned trip_every, trip_left;
	uint32_t limit;
	uint32_t born;                  /* day */
	struct habit habit;
};

struct message { uint64_t at; struct origin from; uint32_t rcpts; };

uint64_t dice_roll(struct dice *);
/* 0 to n - 1. */
uint32_t dice_below(struct dice *, uint32_t n);
bool dice_hit(struct dice *, double chance);
uint64_t dice_network(struct dice *);

void person_init(struct person *, struct dice *, uint32_t born);
/* What it sends on a day, in the order of time; how many messages. */
size_t person_day(struct person *, struct dice *, uint32_t day, struct message *);
const char *kind_name(enum kind);

#endif
