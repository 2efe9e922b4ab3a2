#include "tls/fetch_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "tls/fetch.h"

#define CALL(name) { "curl_" #name, offsetof(struct fetch_library, name) }

static const struct { const char *name; size_t offset; } calls[] = {
	CALL(global_init), CALL(easy_init), CALL(easy_setopt), CALL(easy_getinfo), CALL(easy_strerror), CALL(easy_cleanup),
	CALL(multi_init), CALL(multi_setopt), CALL(multi_add_handle), CALL(multi_remove_handle), CALL(multi_info_read),
	CALL(multi_socket_action), CALL(multi_assign), CALL(multi_cleanup), CALL(slist_append), CALL(slist_free_all),
};

static struct fetch_library library;
static bool loaded;

static bool
refuse(struct buf *why, const char *words)
{
	buf_put_text(why, words != NULL ? words : "libcurl cannot be loaded");
	buf_terminate(why);
	return false;
}

bool
fetch_library_load(struct buf *why)
{
	void *handle = loaded ? NULL : dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	if (loaded)
		return true;
	if (handle == NULL)
		return refuse(why, dlerror());
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		void *call = dlsym(handle, calls[i].name);

		if (call == NULL)
			return refuse(why, dlerror());
		/* ISO C has no cast between the two kinds of pointer; POSIX has them of one size. */
		memcpy((uint8_t *)&library + calls[i].offset, &call, sizeof call);
	}
	loaded = true;
	return true;
}

const struct fetch_library *
fetch_library(struct buf *why)
{
	return fetch_library_load(why) ? &library : NULL;
}
