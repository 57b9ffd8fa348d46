/* engine/interrupt.h - SIGINT and SIGTERM end a run in order; the same signal again ends it at once
 */
#ifndef ENGINE_INTERRUPT_H
#define ENGINE_INTERRUPT_H

#include "shoal/shoal.h"

/* From now on a signal interrupts the engine. There is one at a time. */
enum shoal_status interrupt_begin(struct shoal_engine *engine, struct shoal_error *err);
/* Before the engine is closed. */
void interrupt_end(void);
bool interrupt_came(void);
/* Ranks other than 0: rank 0 tells them when to stop. */
void interrupt_ignore(void);

/* Sleep until fd can be read (-1: nothing to read), a signal came, or timeout_ms have passed (-1:
 * no limit). */
void interrupt_wait(int fd, int timeout_ms);

#endif
