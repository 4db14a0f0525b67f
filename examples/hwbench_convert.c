/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of HW-NAS-Bench as one compact file, which opens at once. */
#include "common/command_line.h"
#include "common/convert_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: hwbench_convert TABLES FILE\n"
    "\n"
    "Write tables of measured hardware into one compact file with a checksum,\n"
    "which ub_hwbench_open() and hwnas --tables take. TABLES is a folder with\n"
    "the CSV files, HW-NAS-Bench-v1_0.pickle, or such a file.\n";

int main(int argc, char **argv)
{
    ub_context *context;
    int done;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return finish_output() ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (argc != 3) {
        fputs("expected TABLES and FILE; see hwbench_convert --help\n", stderr);
        return EXIT_FAILURE;
    }
    context = open_context(1);
    if (context == NULL)
        return EXIT_FAILURE;
    done = convert_tables(context, argv[1], argv[2]);
    ub_context_destroy(&context);
    return done && finish_output() ? EXIT_SUCCESS : EXIT_FAILURE;
}
