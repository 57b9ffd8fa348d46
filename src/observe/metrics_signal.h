/* observe/metrics_signal.h - how often SIGUSR1 came */
#ifndef OBSERVE_METRICS_SIGNAL_H
#define OBSERVE_METRICS_SIGNAL_H

int metrics_signal_count(void);

#endif
