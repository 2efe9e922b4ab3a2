#include "scratch.h"

#include <ftw.h>
#include <stdio.h>

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st, (void)flag, (void)at;
	return remove(path);
}

bool
scratch_remove(const char *directory)
{
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0;
}
