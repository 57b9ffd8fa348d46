/* base/log.h - messages to people, on stderr
 *
 * Lower case, one line, cause and consequence; results never go through here. The level is the one
 * global besides the kernel table. Safe from any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

void log_set_level(enum log_level level); /* default LOG_WARN */
enum log_level log_get_level(void);
/* "error", "warn", "info" or "debug"; -1 for anything else. */
int log_level_parse(const char *name);

/* A line starts with "shoal: " and, when rank is not negative and there are several, "rank N: ". */
void log_set_rank(int rank);

void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_message(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

/* Called with the lock of the log held before and after each line, so that a progress line on the
 * same terminal can be cleared and drawn again. NULL to remove. */
void log_set_around(void (*before)(void *), void (*after)(void *), void *user);

#endif
