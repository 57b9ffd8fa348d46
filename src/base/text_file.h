/* base/text_file.h - a text as a whole file */
#ifndef BASE_TEXT_FILE_H
#define BASE_TEXT_FILE_H

#include "base/text.h"

/* Replaces what is at the path. False: errno says why, and a part may be there. */
bool text_write_file(const struct text *t, const char *path);

#endif
