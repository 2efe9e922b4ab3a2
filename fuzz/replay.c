/* replay.c - gives every file of a folder to a fuzz target once, so that what fuzzing found stays found without libFuzzer. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
/* Of a target that leads somewhere: has any input so far come there? */
__attribute__((weak)) bool fuzz_arrived(void);

enum { INPUT_MAX = 1 << 20 };

static void
replay_file(const char *folder, const char *name)
{
	static uint8_t input[INPUT_MAX];
	char path[4096];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(input, 1, sizeof input, f);
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(input, n);
}

int
main(int argc, char **argv)
{
	unsigned files = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *e;

		if (d == NULL) {
			perror(argv[i]);
			return 1;
		}
		while ((e = readdir(d)) != NULL)
			if (e->d_name[0] != '.') {
				replay_file(argv[i], e->d_name);
				files++;
			}
		(void)closedir(d);
	}
	printf("%u inputs replayed\n", files);
	if (fuzz_arrived != NULL && !fuzz_arrived()) {
		(void)fputs("none comes to where the target leads: a message has another form than they were written with\n", stderr);
		return 1;
	}
	return files == 0;
}
