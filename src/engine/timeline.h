/* engine/timeline.h - a step log as a picture: who waited, who prefilled, who decoded, step by step
 */
#ifndef ENGINE_TIMELINE_H
#define ENGINE_TIMELINE_H

#include "base/status.h"
#include "base/text.h"

/* Append the SVG picture of the log at path to out. A log that was cut short is drawn to its end.
 */
enum shoal_status engine_timeline(const char *path, struct text *out, struct shoal_error *err);

#endif
