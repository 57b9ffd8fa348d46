#include "sched/sched.h"
#include "support/suite.h"
