/* What is read of an autoconfig file, and what of it counts (8314-35, 8314-36). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/audit_autoconfig.h"

static struct autoconfig config;
static char words[AUTOCONFIG_WORDS_MAX];

static bool
parse(const char *text)
{
	memset(words, 0, sizeof words);
	return autoconfig_parse(span_of(text), "example.org", &config, words);
}

/* With these elements in an outgoing server. */
static bool
parse_server(const char *elements)
{
	char text[2000];

	(void)snprintf(text, sizeof text, "<clientConfig version='1.1'><emailProvider id='x'><outgoingServer type='smtp'>%s</outgoingServer>"
	    "</emailProvider></clientConfig>", elements);
	return parse(text);
}

static void
servers_stand_in_their_order(void **state)
{
	(void)state;
	assert_true(parse("<?xml version='1.0'?><clientConfig version='1.1'><emailProvider id='x'>"
	    "<incomingServer type='imap'><hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType></incomingServer>"
	    "<outgoingServer type='smtp'><hostname>\n Mail.%EMAILDOMAIN% </hostname><port> 465 </port><socketType>SSL</socketType>"
	    "<authentication>OAuth2</authentication><authentication>password-cleartext</authentication><addThisServer>true</addThisServer></outgoingServer>"
	    "<outgoingServer type='smtp'><hostname>b.example</hostname><port>587</port><socketType>starttls</socketType></outgoingServer>"
	    "</emailProvider></clientConfig>"));
	assert_int_equal(config.servers, 2);
	assert_int_equal(config.unusable, 0);
	assert_string_equal(config.server[0].host, "mail.example.org");
	assert_int_equal(config.server[0].port, 465);
	assert_int_equal(config.server[0].socket, AUTOCONFIG_SSL);
	assert_string_equal(config.server[0].authentication, "OAuth2,password-cleartext");
	assert_int_equal(config.server[1].socket, AUTOCONFIG_STARTTLS);
	assert_string_equal(config.server[1].authentication, "");
}

static void
what_cannot_be_used_is_counted(void **state)
{
	static const char *const bad[] = {
		"<port>465</port><socketType>SSL</socketType>",
		"<hostname>a.example</hostname><socketType>SSL</socketType>",
		"<hostname>a.example</hostname><port>465</port>",
		"<hostname>a.example</hostname><port>465</port><socketType>TLS</socketType>",
		"<hostname>a.example</hostname><port>0</port><socketType>SSL</socketType>",
		"<hostname>a.example</hostname><port>65536</port><socketType>SSL</socketType>",
		"<hostname>a.example</hostname><port>465 </port><port>4 65</port><socketType>SSL</socketType>",
		"<hostname>a/b</hostname><port>465</port><socketType>SSL</socketType>",
		"<hostname>%EMAILLOCALPART%.example</hostname><port>465</port><socketType>SSL</socketType>",
		"<hostname></hostname><port>465</port><socketType>SSL</socketType>",
		"<hostname>a.example</hostname><port>465</port><socketType>SSL</socketType><authentication>two words</authentication>",
		"<x><hostname>a.example</hostname></x><port>465</port><socketType>SSL</socketType>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_true(parse_server(bad[i]));
		assert_int_equal(config.servers, 0);
		assert_int_equal(config.unusable, 1);
	}
}

static void
other_servers_are_nothing_to_us(void **state)
{
	(void)state;
	assert_true(parse("<clientConfig><emailProvider><outgoingServer type='exchange'><hostname>a.example</hostname></outgoingServer><outgoingServer/>"
	    "<x><outgoingServer type='smtp'><hostname>a.example</hostname><port>1</port><socketType>SSL</socketType></outgoingServer></x>"
	    "</emailProvider><webMail><outgoingServer type='smtp'/></webMail></clientConfig>"));
	assert_int_equal(config.servers, 0);
	assert_int_equal(config.unusable, 0);
}

static void
as_many_as_there_is_room_for(void **state)
{
	char text[8000];
	int at = snprintf(text, sizeof text, "<clientConfig><emailProvider>");

	(void)state;
	for (unsigned i = 0; i < AUTOCONFIG_SERVERS_MAX + 3; i++)
		at += snprintf(text + at, sizeof text - (size_t)at, "<outgoingServer type='smtp'><hostname>a.example</hostname><port>%u</port>"
		    "<socketType>SSL</socketType></outgoingServer>", i + 1);
	(void)snprintf(text + at, sizeof text - (size_t)at, "</emailProvider></clientConfig>");
	assert_true(parse(text));
	assert_int_equal(config.servers, AUTOCONFIG_SERVERS_MAX);
	assert_int_equal(config.unusable, 3);
}

static void
what_is_no_configuration(void **state)
{
	static const struct { const char *text, *wrong; } bad[] = {
		{ "", "no element" }, { "words", "line 1" }, { "<clientConfig>", "no element found" }, { "<a/>", "not clientConfig" },
		{ "<clientConfig/>", "no emailProvider" }, { "<clientConfig><emailProvider></clientConfig>", "mismatched" },
		{ "<clientConfig><emailProvider/></clientConfig><more/>", "junk" },
		{ "<!DOCTYPE clientConfig><clientConfig><emailProvider/></clientConfig>", "document type" },
		{ "<!DOCTYPE x [<!ENTITY e 'eeee'>]><clientConfig>&e;</clientConfig>", "document type" },
		{ "<clientConfig>&e;</clientConfig>", "undefined entity" },
		{ "<clientConfig><emailProvider><outgoingServer type='smtp'><hostname>a.example</hostname><port>1</port><socketType>SSL</socketType>"
		  "</outgoingServer>", "no element found" },
		{ "<clientConfig><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", "16 deep" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(parse(bad[i].text));
		assert_int_equal(config.servers, 0);
		if (strstr(words, bad[i].wrong) == NULL)
			fail_msg("%s: %s", bad[i].text, words);
	}
}

static void
no_file_is_longer_than_64_kib(void **state)
{
	static uint8_t text[AUTOCONFIG_OCTETS_MAX + 1];

	(void)state;
	memset(text, ' ', sizeof text);
	assert_false(autoconfig_parse((struct span){ text, sizeof text }, "example.org", &config, words));
	assert_string_equal(words, "it is longer than 64 KiB");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_stand_in_their_order), cmocka_unit_test(what_cannot_be_used_is_counted),
		cmocka_unit_test(other_servers_are_nothing_to_us), cmocka_unit_test(as_many_as_there_is_room_for),
		cmocka_unit_test(what_is_no_configuration), cmocka_unit_test(no_file_is_longer_than_64_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
