#include "sasl/context.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"

static int
property(Gsasl *context, Gsasl_session *session, Gsasl_property wanted)
{
	struct sasl_hook *hook;

	(void)context;
	if (session == NULL)
		return GSASL_NO_CALLBACK;
	hook = gsasl_session_hook_get(session);
	return hook == NULL ? GSASL_NO_CALLBACK : hook->property(hook->arg, session, wanted);
}

Gsasl *
sasl_context(void)
{
	static Gsasl *context;

	if (context != NULL)
		return context;
	if (gsasl_init(&context) != GSASL_OK) {
		context = NULL;
		return NULL;
	}
	gsasl_callback_set(context, property);
	return context;
}

bool
sasl_set_binding(Gsasl_session *session, int binding_type, struct span binding)
{
	uint8_t text[BASE64_LEN(64) + 1];
	struct buf b = BUF_OVER(text);
	Gsasl_property which = binding_type == SASL_BINDING_EXPORTER ? GSASL_CB_TLS_EXPORTER : GSASL_CB_TLS_UNIQUE;

	if (binding_type == SASL_BINDING_NONE)
		return true;
	if (!base64_format(binding, &b) || !buf_terminate(&b))
		return false;
	return gsasl_property_set(session, which, (const char *)text) == GSASL_OK;
}

void
sasl_finish(Gsasl_session *session)
{
	static const Gsasl_property secrets[] = { GSASL_PASSWORD, GSASL_SCRAM_SALTED_PASSWORD, GSASL_SCRAM_SERVERKEY,
		GSASL_SCRAM_STOREDKEY };

	if (session == NULL)
		return;
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		const char *value = gsasl_property_fast(session, secrets[i]);

		/* GNU SASL frees its copies as they are. They are heap octets, so they may be written to. */
		if (value != NULL)
			wipe((char *)(uintptr_t)value, strlen(value));
	}
	gsasl_finish(session);
}

void
sasl_free_output(char *output, size_t len)
{
	if (output == NULL)
		return;
	wipe(output, len);
	gsasl_free(output);
}
