/* SPDX-License-Identifier: BSD-2-Clause */
/* How far a grid is, and how long it will take. */
#define _DEFAULT_SOURCE /* TIOCGWINSZ */

#include "pareto_cifar10/grid.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Seconds between two drawings of the line. */
#define INTERVAL 0.2

double pareto_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

static const char *const stage_names[3] = { "micro", "channels", "train" };

static int stage_of(const char *name)
{
    for (int i = 0; i < 3; i++) {
        if (name != NULL && strcmp(name, stage_names[i]) == 0)
            return i;
    }
    return -1;
}

static double epochs_of(const pareto_task *task, int stage)
{
    const ub_search_options *o = &task->options;
    const int64_t epochs[3] = { o->micro_epochs, o->channel_epochs,
                                o->train_epochs };
    const int first = o->from == NULL                    ? 0
                      : o->take == UB_SEARCH_TAKE_WIDTHS ? 2
                                                         : 1;

    return stage < first ? 0.0 : (double) epochs[stage];
}

int pareto_note_step(pareto_board *board, pareto_task *task,
                     const ub_progress *p)
{
    const int stage = stage_of(p->stage);
    const double now = pareto_seconds();
    const double place = (double) p->epoch +
                         (double) p->step /
                             (double) (p->steps > 0 ? p->steps : 1);

    if (stage < 0)
        return 0;
    /* The first step seen of a stage says only where it stands. */
    if (stage == task->stage && place > task->place) {
        board->costs[stage].seconds += now - task->seen;
        board->costs[stage].epochs += place - task->place;
    }
    task->stage = stage;
    task->place = place;
    task->seen = now;
    return p->step == p->steps && p->epoch + 1 == p->epochs;
}

void pareto_note_run(pareto_board *board, const pareto_task *task,
                     const double seconds[3])
{
    for (int i = 0; i < 3; i++) {
        if (!(seconds[i] > 0.0) || !(epochs_of(task, i) > 0.0))
            continue;
        board->costs[i].seconds += seconds[i];
        board->costs[i].epochs += epochs_of(task, i);
    }
}

/* Of an epoch of a stage; one that has not been seen is taken to cost as much
 * as those that have. Below 0: nothing is known. */
static double seconds_per_epoch(const pareto_board *board, int stage)
{
    const pareto_cost *c = &board->costs[stage];
    double seconds = 0.0, epochs = 0.0;

    if (c->epochs > 0.0)
        return c->seconds / c->epochs;
    for (int i = 0; i < 3; i++) {
        seconds += board->costs[i].seconds;
        epochs += board->costs[i].epochs;
    }
    return epochs > 0.0 ? seconds / epochs : -1.0;
}

static double seconds_of(const pareto_board *board, const pareto_task *task)
{
    const int first = task->state == PARETO_RUNNING && task->stage > 0
                          ? task->stage
                          : 0;
    double sum = 0.0;

    for (int i = first; i < 3; i++) {
        double epochs = epochs_of(task, i);
        if (task->state == PARETO_RUNNING && i == task->stage)
            epochs -= task->place;
        sum += epochs * seconds_per_epoch(board, i);
    }
    return sum;
}

/* Of the whole grid: the longest running task, or all work shared by the
 * jobs. Below 0: not known yet. */
static double seconds_left(const pareto_board *board)
{
    double sum = 0.0, longest = 0.0;

    if (seconds_per_epoch(board, 0) < 0.0)
        return -1.0;
    for (int64_t i = 0; i < board->n; i++) {
        const pareto_task *task = &board->tasks[i];
        double seconds;

        if (task->state != PARETO_PENDING && task->state != PARETO_RUNNING)
            continue;
        seconds = seconds_of(board, task);
        sum += seconds;
        longest = fmax(longest, seconds);
    }
    return fmax(longest, sum / (double) board->plan->jobs);
}

static void print_time(const pareto_board *board, char *out, size_t size)
{
    const double left = seconds_left(board);
    const int64_t minutes = (int64_t) (left / 60.0);

    if (left < 0.0)
        snprintf(out, size, "time left unknown");
    else if (minutes >= 60)
        snprintf(out, size, "about %" PRId64 " h %02" PRId64 " min left",
                 minutes / 60, minutes % 60);
    else
        snprintf(out, size, "about %" PRId64 ":%02d left", minutes,
                 (int) fmod(left, 60.0));
}

static int64_t count(const pareto_board *board, int state)
{
    int64_t n = 0;

    for (int64_t i = 0; i < board->n; i++)
        n += board->tasks[i].state == state;
    return n;
}

void pareto_clear_line(pareto_board *board)
{
    if (board->line_shown)
        fputs("\r\033[K", stderr);
    board->line_shown = 0;
}

void pareto_say(pareto_board *board, const pareto_task *task, const char *what)
{
    char left[64];

    if (board->plan->quiet)
        return;
    print_time(board, left, sizeof(left));
    pareto_clear_line(board);
    fprintf(stderr, "%" PRId64 "/%" PRId64 " runs done; %s: %s; %s\n",
            count(board, PARETO_DONE), board->n, task->name, what, left);
}

static size_t columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 80;
}

void pareto_draw(pareto_board *board)
{
    const double now = pareto_seconds();
    char line[1024], left[64];
    size_t at, width = columns();

    if (board->plan->quiet || !board->terminal || now - board->drawn < INTERVAL)
        return;
    board->drawn = now;
    print_time(board, left, sizeof(left));
    at = (size_t) snprintf(line, sizeof(line), "%" PRId64 "/%" PRId64 ", %s",
                           count(board, PARETO_DONE), board->n, left);
    for (int64_t i = 0; i < board->n && at < sizeof(line) / 2; i++) {
        const pareto_task *t = &board->tasks[i];
        if (t->state == PARETO_RUNNING)
            at += (size_t) snprintf(
                line + at, sizeof(line) - at,
                "; %s%s%s %g/%" PRIu64 " %s %.1f/%g",
                ub_search_hardware_name(t->options.hardware),
                t->label ? "-" : "", t->label ? t->label : "",
                t->options.lambda, t->options.seed,
                t->stage < 0 ? "begins" : stage_names[t->stage], t->place,
                epochs_of(t, t->stage < 0 ? 0 : t->stage));
    }
    if (width >= sizeof(line))
        width = sizeof(line) - 1;
    line[width - 1] = '\0';
    fprintf(stderr, "\r%s\033[K", line);
    board->line_shown = 1;
}
