/* Compares versions with dpkg's own code, libdpkg, as `dpkg --compare-versions` does it: pairs of lines in, a line with
 * `<`, `=`, `>`, or `!` when dpkg refuses one of the two, out. */
#define LIBDPKG_VOLATILE_API 1
#include <dpkg/dpkg.h>
#include <dpkg/dpkg-db.h>
#include <dpkg/version.h>
#include <stdio.h>
#include <string.h>

/* What dpkg only warns of it compares. */
static int refused(struct dpkg_version *version, const char *text)
{
	struct dpkg_error error = DPKG_ERROR_INIT;
	int refused = parseversion(version, text, &error) < 0 && error.type != DPKG_MSG_WARN;

	dpkg_error_destroy(&error);
	return refused;
}

static int next(char *line, int size)
{
	if (!fgets(line, size, stdin))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	return 1;
}

int main(void)
{
	char a[1024], b[1024];

	while (next(a, sizeof a) && next(b, sizeof b)) {
		struct dpkg_version x, y;
		int order;

		if (refused(&x, a) || refused(&y, b)) {
			puts("!");
			continue;
		}
		order = dpkg_version_compare(&x, &y);
		puts(order < 0 ? "<" : order > 0 ? ">" : "=");
	}
	return 0;
}
