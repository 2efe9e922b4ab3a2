/* What can only be seen from inside: --login proves itself and asks for a foreign reverse-path, --active begins messages and breaks them off. */
#include "cmd/audit.h"

/* All at once first: a server that takes none of them for an end has been asked enough. */
static void
examine_endings(struct endpoint *e)
{
	audit_talk_whole(e, SMTP_PROBE_ENDING, SMTP_PROBE_ENDINGS);
	for (uint8_t i = 0; e->probe.begun && (i > 0 || e->probe.taken) && i < SMTP_PROBE_ENDINGS; i++)
		audit_talk_whole(e, SMTP_PROBE_ENDING, i);
}

void
audit_inside(struct endpoint *e)
{
	if (e->service != AUDIT_SUBMISSIONS && e->service != AUDIT_SUBMISSION)
		return;
	if (e->login != NULL) {
		audit_talk_whole(e, SMTP_PROBE_SENDER, 0);
		if (!e->probe.inside)
			return;
	}
	if (e->active)
		examine_endings(e);
}
