#include "proc/5_relay.h"

static void
facts_for_sasl(struct relay_connection *k, struct sasl_client_facts *f, struct buf *binding)
{
	*f = (struct sasl_client_facts){
		.user = span_of(k->relay->child.conf.relay.user.p),
		.password = { k->relay->password.p, k->relay->password.len },
		.offered = k->smtp.caps.mechanisms,
		.tls = k->tls != NULL,
	};
	if (k->tls != NULL)
		f->binding_type = tls_binding(k->tls, binding);
	f->binding = buf_span(binding);
}

bool
relay_auth_start(struct relay_connection *k, enum smtp_client_want *want)
{
	uint8_t initial_octets[4096], binding_octets[64];
	char why_text[300] = "";
	struct buf initial = BUF_OVER(initial_octets), binding = BUF_OVER(binding_octets), why = BUF_OVER(why_text);
	struct sasl_client_facts facts;
	enum smtp_mechanism mechanism;
	bool has_initial = false;

	facts_for_sasl(k, &facts, &binding);
	/* The engine asks again when the smart host did not like the mechanism (4954-32). */
	sasl_client_end(k->sasl);
	k->sasl = sasl_client_begin(&facts, &mechanism, &initial, &has_initial, &why);
	if (k->sasl == NULL)
		*want = smtp_client_auth_cancel(&k->smtp, span_of(why_text));
	else
		*want = smtp_client_auth_begin(&k->smtp, mechanism,
		    has_initial ? (struct span){ initial_octets, initial.len } : (struct span){ NULL, 0 });
	wipe(initial_octets, sizeof initial_octets);
	return true;
}

bool
relay_auth_next(struct relay_connection *k, enum smtp_client_want *want)
{
	uint8_t response_octets[4096];
	char why_text[300] = "";
	struct buf response = BUF_OVER(response_octets), why = BUF_OVER(why_text);

	if (sasl_client_step(k->sasl, k->smtp.challenge, &response, &why))
		*want = smtp_client_auth_next(&k->smtp, buf_span(&response));
	else
		*want = smtp_client_auth_cancel(&k->smtp, span_of(why_text));
	wipe(response_octets, sizeof response_octets);
	return true;
}
