/* study/files.h - whole files in the folder of a study */
#ifndef STUDY_FILES_H
#define STUDY_FILES_H

#include "base/status.h"
#include "base/text.h"

/* Writes FOLDER/NAME, which it replaces, as a whole or not at all. t->failed is an error, too. */
enum shoal_status file_write(const char *folder, const char *name, const struct text *t,
                             struct shoal_error *err);
/* Appends FOLDER/NAME to out. */
enum shoal_status file_read(const char *folder, const char *name, struct text *out,
                            struct shoal_error *err);

#endif
