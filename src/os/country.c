#include "os/country.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <maxminddb.h>

#include "os/replace.h"

enum {
	ENTRIES_LOOKED = 4096,          /* an honest database has a country in its first ones */
	PIECE = 64 * 1024,
};

struct country {
	MMDB_s map;
	struct stat file;               /* as it was when it was opened */
};

/* ---- what an entry says ---- */

static bool
is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* ISO 3166-1 has two letters for each; 0 for whatever else is there. */
static uint16_t
code_of(MMDB_entry_s entry)
{
	MMDB_entry_data_s d;

	if (MMDB_get_value(&entry, &d, "country", "iso_code", NULL) != MMDB_SUCCESS || !d.has_data)
		return 0;
	if (d.type != MMDB_DATA_TYPE_UTF8_STRING || d.data_size != 2 || !is_letter(d.utf8_string[0]) || !is_letter(d.utf8_string[1]))
		return 0;
	return (uint16_t)(d.utf8_string[0] << 8 | d.utf8_string[1]);
}

/* Its form may be right, and it tells of networks' owners, or of nothing: both would be silence for ever. */
static bool
has_countries(const MMDB_s *map, struct buf *why)
{
	unsigned looked = 0;

	for (uint32_t i = 0; i < map->metadata.node_count && looked < ENTRIES_LOOKED; i++) {
		MMDB_search_node_s n;

		if (MMDB_read_node(map, i, &n) != MMDB_SUCCESS || n.left_record_type == MMDB_RECORD_TYPE_INVALID
		    || n.right_record_type == MMDB_RECORD_TYPE_INVALID)
			return buf_refuse(why, "is damaged: its search tree leads out of the file", NULL);
		looked += (n.left_record_type == MMDB_RECORD_TYPE_DATA) + (n.right_record_type == MMDB_RECORD_TYPE_DATA);
		if (n.left_record_type == MMDB_RECORD_TYPE_DATA && code_of(n.left_record_entry) != 0)
			return true;
		if (n.right_record_type == MMDB_RECORD_TYPE_DATA && code_of(n.right_record_entry) != 0)
			return true;
	}
	return buf_refuse(why, "has no country.iso_code in it; a database of countries is needed", NULL);
}

/* ---- the file ---- */

/* Not more than there was to begin with, should it grow meanwhile. */
static bool
copy_octets(int from, int to, uint64_t size)
{
	uint8_t piece[PIECE];

	while (size > 0) {
		ssize_t n = read(from, piece, size < PIECE ? (size_t)size : PIECE);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		if (!file_write(to, (struct span){ piece, (size_t)n }))
			return false;
		size -= (uint64_t)n;
	}
	return true;
}

static bool
copy_file(int from, const struct country *c, const char *copy, struct buf *why)
{
	int to;
	bool copied;

	(void)unlink(copy);
	to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	copied = to != -1 && copy_octets(from, to, (uint64_t)c->file.st_size);
	if (!copied) {
		(void)buf_refuse(why, "cannot be copied to ", NULL);
		(void)(buf_put_text(why, copy) && buf_put_text(why, ": ") && buf_put_text(why, strerror(errno)));
		buf_terminate(why);
	}
	if (to != -1)
		(void)close(to);
	return copied;
}

static bool
is_possible(int fd, struct country *c, struct buf *why)
{
	if (fd == -1 || fstat(fd, &c->file) != 0)
		return buf_refuse(why, strerror(errno), NULL);
	if (!S_ISREG(c->file.st_mode))
		return buf_refuse(why, "is no plain file", NULL);
	if (c->file.st_size == 0)
		return buf_refuse(why, "is empty", NULL);
	return c->file.st_size <= COUNTRY_FILE_MAX || buf_refuse(why, "is bigger than 256 MiB", NULL);
}

static bool
map_it(struct country *c, const char *path, struct buf *why)
{
	int error = MMDB_open(path, MMDB_MODE_MMAP, &c->map);

	if (error == MMDB_SUCCESS)
		return true;
	if (error == MMDB_IO_ERROR || error == MMDB_FILE_OPEN_ERROR)
		return buf_refuse(why, strerror(errno), NULL);
	return buf_refuse(why, "is damaged, or no database in MaxMind's format", NULL);
}

struct country *
country_open(const char *path, const char *copy, struct buf *why)
{
	struct country *c = calloc(1, sizeof(*c));
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool mapped = c == NULL ? buf_refuse(why, strerror(ENOMEM), NULL)
	            : is_possible(fd, c, why) && (copy == NULL || copy_file(fd, c, copy, why))
	                  && map_it(c, copy == NULL ? path : copy, why);

	if (fd != -1)
		(void)close(fd);
	if (copy != NULL)
		(void)unlink(copy);
	if (mapped && has_countries(&c->map, why))
		return c;
	if (mapped)
		MMDB_close(&c->map);
	free(c);
	return NULL;
}

void
country_close(struct country *c)
{
	if (c != NULL)
		MMDB_close(&c->map);
	free(c);
}

bool
country_is_current(const struct country *c, const char *path)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_dev == c->file.st_dev && now.st_ino == c->file.st_ino && now.st_size == c->file.st_size
	    && memcmp(&now.st_mtim, &c->file.st_mtim, sizeof(now.st_mtim)) == 0
	    && memcmp(&now.st_ctim, &c->file.st_ctim, sizeof(now.st_ctim)) == 0;
}

uint64_t
country_built(const struct country *c)
{
	return c->map.metadata.build_epoch;
}

/* ---- an address ---- */

/* An IPv4 address that came over an IPv6 socket (RFC 4291 2.5.5.2) is an IPv4 address. */
static bool
parse(const char *address, struct sockaddr_in *v4, struct sockaddr_in6 *v6)
{
	v4->sin_family = AF_INET;
	v6->sin6_family = AF_INET6;
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
		return true;
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		memcpy(&v4->sin_addr, v6->sin6_addr.s6_addr + 12, sizeof(v4->sin_addr));
	else
		v4->sin_family = AF_UNSPEC;
	return true;
}

uint16_t
country_of(const struct country *c, const char *address)
{
	struct sockaddr_in v4 = { 0 };
	struct sockaddr_in6 v6 = { 0 };
	MMDB_lookup_result_s found;
	int error;

	if (c == NULL || !parse(address, &v4, &v6))
		return 0;
	found = MMDB_lookup_sockaddr(&c->map, v4.sin_family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, &error);
	return error == MMDB_SUCCESS && found.found_entry ? code_of(found.entry) : 0;
}
