/* demo/demo.h - shoal demo: continuous batching shown step by step, on the real engine
 *
 * argv[0] is "demo". Returns the exit code: 0 all well, 1 something failed and was said, 2 usage,
 * 130 interrupted. */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

int demo_main(int argc, char *argv[]);

#endif
