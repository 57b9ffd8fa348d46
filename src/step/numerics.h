/* step/numerics.h - the version of the numbers that a run gives */
#ifndef STEP_NUMERICS_H
#define STEP_NUMERICS_H

/* Tokens and logits depend on the request, the model file, the numeric options and this number,
 * and on nothing else (docs/numerics.md). Raise it when the definition of an operation changes,
 * that is whenever a bit of some logit may differ from what the last release gave: step logs and
 * goldens carry it, so that a difference is told from a fault. */
enum { SHOAL_NUMERICS_VERSION = 2 };

#endif
