/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_COMMON_COMMAND_LINE_H
#define EXAMPLES_COMMON_COMMAND_LINE_H

#include <getopt.h>
#include <uboost/uboost.h>

/*
 * What the example programs share: numbers and names from the command line,
 * the progress line, stopping by SIGINT or SIGTERM. Functions called parse_*
 * print what is wrong with `option` and return 0, or return 1.
 */

int parse_integer(const char *option, const char *text, int64_t low,
                  int64_t high, int64_t *out);
int parse_number(const char *option, const char *text, double low, double high,
                 double *out);
/* The place of a name; name(i) is NULL behind the last. */
int parse_choice(const char *option, const char *text,
                 const char *(*name)(int32_t), int32_t *out);
/* Three whole numbers with something between them, from 0 or, the last, from
 * `least_last` to 2^20. */
int parse_three(const char *option, const char *text, char between,
                int64_t *const to[3], int64_t least_last);
/* "16x32" */
int parse_array(const char *option, const char *text, int64_t *rows,
                int64_t *columns);

/* The next of several texts with something between them; 0 behind the last,
 * where *text is NULL. One that does not fit is "...", which is neither a
 * number nor a name. */
int next_part(const char **text, char between, char *out, size_t size);

/* The whole line: `options`, ended by an empty one, are numbered without gaps
 * from above any character. What is given goes to the same place of `values`,
 * "" for a flag. Exits after --help, having printed the texts of `help`, which
 * ends in NULL. */
int parse_command_line(int argc, char **argv, const struct option *options,
                       const char *const *help, const char **values);

/* Whether all that was printed is where it should be; 0 after a message, when
 * the disk is full for one. */
int finish_output(void);

/* One line that is rewritten on a terminal, one line per epoch elsewhere;
 * SIGINT and SIGTERM ask the library to stop after the step. */
int print_progress(void *user, const ub_progress *progress);
void catch_interrupt(void);
/* Whether one of them came. */
int interrupted(void);

/* Context with that progress line; `threads` 0: all online processors. Warnings
 * go to stderr. NULL after a message. */
ub_context *open_context(int64_t threads);
/* The same with another callback, or none. */
ub_context *open_context_with(int64_t threads, ub_progress_fn progress,
                              void *user);

/* Training and test images: `path`, or if NULL $UBOOST_DATA, Debian's
 * Fashion-MNIST, or the synthetic set, whichever is there; says which. */
int open_data(ub_context *context, const char *path, ub_dataset **train,
              ub_dataset **test);
/* The same without saying it. */
int open_data_quietly(ub_context *context, const char *path, ub_dataset **train,
                      ub_dataset **test);

/* Create the folder unless it is there. */
int make_folder(const char *path);

/* Put every layer of the network into a table, priced by the simulator. */
ub_status fill_table(const ub_network *network, int64_t batch,
                     const ub_cost_model *simulator, ub_util_table *table);

/* With the options it was reached with. */
void print_result(const ub_search_result *result,
                  const ub_search_options *options);

#endif
