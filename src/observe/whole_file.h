/* observe/whole_file.h - text that replaces a file at once, and the check that it can */
#ifndef OBSERVE_WHOLE_FILE_H
#define OBSERVE_WHOLE_FILE_H

#include "base/status.h"
#include "base/text.h"

/* Writes the text beside the file (path.tmp) and renames it, so that readers see the old text or
 * the new. What is there and no regular file (a device, a pipe) is written to instead. what names
 * it in errors ("metrics"). */
enum shoal_status whole_file_write(const char *path, const char *what, const struct text *text,
                                   struct shoal_error *err);
/* Fails when whole_file_write would, for want of a folder or of rights. Leaves the file alone. */
enum shoal_status whole_file_check(const char *path, const char *what, struct shoal_error *err);

/* All n bytes, or false with errno. */
bool whole_write(int fd, const char *bytes, size_t n);
/* Whether the name ends in suffix (".json") and has more before it. */
bool has_suffix(const char *path, const char *suffix);

#endif
