/* 5_relay by itself: descriptor 3 is its channel, the test is its master and its 4_spool. */
#include "proc/child.h"

int
main(void)
{
	return relay_main(0);
}
