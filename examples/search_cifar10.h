/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_SEARCH_CIFAR10_H
#define EXAMPLES_SEARCH_CIFAR10_H

#include "command_line.h"

#define MAX_OPTIONS 48

typedef struct arguments {
    const char *value[MAX_OPTIONS]; /* by option; NULL: not given */
    ub_search_options options;
    int64_t threads;
    const char *data; /* NULL: not given */
    const char *out;
    int resume;
} arguments;

/* 1, or 0 after a message; exits after --help. */
int parse(arguments *a, int argc, char **argv);

#endif
