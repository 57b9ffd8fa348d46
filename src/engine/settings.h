/* engine/settings.h - struct shoal_options as a table: names, ranges, defaults, help
 *
 * The command line, environment variables, configuration files, --help, the head of a step log and
 * the text that rank 0 sends to the other ranks are all made from it. */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include "base/settings.h"
#include "shoal/shoal.h"

/* The options as settings; options is borrowed by the table. */
struct setting_table engine_settings(struct shoal_options *options);

/* Everything that can be refused before a model is loaded: ranges and names, options that
 * contradict one another, sizes of the groups of ranks that do not make n_ranks. Options that are
 * only more than can be used (chunks above the budget, more sequences than the budget) are fine. */
enum shoal_status engine_settings_check(const struct shoal_options *options, int32_t n_ranks,
                                        struct shoal_error *err);

/* As "name = value" lines, and back. text is changed and must outlive the options, whose strings
 * point into it. */
void engine_settings_print(const struct shoal_options *options, struct text *out);
enum shoal_status engine_settings_read(struct shoal_options *options, char *text,
                                       struct shoal_error *err);

#endif
