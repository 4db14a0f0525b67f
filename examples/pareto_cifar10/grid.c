/* SPDX-License-Identifier: BSD-2-Clause */
/* Running the searches of a grid, several side by side. */
#define _POSIX_C_SOURCE 200809L

#include "pareto_cifar10/grid.h"
#include "common/command_line.h"
#include "common/results_folder.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of the threads that run searches, with everything it uses. */
typedef struct job {
    pareto_board *board;
    pareto_task *task; /* what it does now */
    ub_context *context;
    ub_dataset *train, *test;
    pthread_t thread;
    int stopped; /* by the user */
} job;

static void path_of(const pareto_board *board, const pareto_task *task,
                    const char *file, char out[PARETO_PATH])
{
    snprintf(out, PARETO_PATH, "%s/%s%s%s", board->plan->out, task->name,
             file[0] ? "/" : "", file);
}

/* -- tasks ------------------------------------------------------------------
 */

/* Nobody resumes a run that is complete. */
static void drop_checkpoint(const pareto_board *board, const pareto_task *task)
{
    char path[PARETO_PATH];

    path_of(board, task, "checkpoint.safetensors", path);
    unlink(path);
}

static void note_complete(pareto_board *board, pareto_task *task)
{
    char path[PARETO_PATH];
    double seconds[3];
    json_t *result;

    task->state = PARETO_DONE;
    drop_checkpoint(board, task);
    path_of(board, task, "result.json", path);
    result = json_load_file(path, 0, NULL);
    if (result != NULL &&
        json_unpack(result, "{s:F, s:F, s:F}", "seconds_micro", &seconds[0],
                    "seconds_channels", &seconds[1], "seconds_train",
                    &seconds[2]) == 0)
        pareto_note_run(board, task, seconds);
    json_decref(result);
}

/* What is there already. Other options are an error now, not in some hours. */
static int check_tasks(pareto_board *board, const job *first)
{
    char path[PARETO_PATH];

    for (int64_t i = 0; i < board->n; i++) {
        pareto_task *task = &board->tasks[i];
        int complete;

        path_of(board, task, "", path);
        if (ub_search_complete(first->context, &task->options, first->train,
                               first->test, path, &complete) != UB_OK) {
            fprintf(stderr, "%s\n", ub_context_last_error(first->context));
            return 0;
        }
        if (complete)
            note_complete(board, task);
    }
    return 1;
}

/* -- jobs -------------------------------------------------------------------
 */

static int on_progress(void *user, const ub_progress *progress)
{
    static const char *const done[3] = { "micro search done",
                                         "channel search done",
                                         "final training done" };
    job *j = user;
    pareto_board *board = j->board;
    char what[64];

    if (j->task == NULL)
        return interrupted();
    pthread_mutex_lock(&board->lock);
    if (pareto_note_step(board, j->task, progress)) {
        snprintf(what, sizeof(what), "%s, accuracy %.3f", done[j->task->stage],
                 progress->accuracy);
        pareto_say(board, j->task, what);
    }
    pareto_draw(board);
    pthread_mutex_unlock(&board->lock);
    return interrupted();
}

static int open_job(job *j, pareto_board *board, int says_data)
{
    const char *path = board->plan->data;

    j->board = board;
    j->context = open_context_with(board->plan->threads, on_progress, j);
    if (j->context == NULL)
        return 0;
    return says_data && !board->plan->quiet
               ? open_data(j->context, path, &j->train, &j->test)
               : open_data_quietly(j->context, path, &j->train, &j->test);
}

static void close_job(job *j)
{
    ub_dataset_destroy(&j->train);
    ub_dataset_destroy(&j->test);
    ub_context_destroy(&j->context);
}

static int state_of(const pareto_board *board, int64_t index)
{
    return index < 0 ? PARETO_DONE : board->tasks[index].state;
}

/* Those that are after one that failed; the one before has an index less than
 * theirs. */
static void fail_dependents(pareto_board *board)
{
    for (int64_t i = 0; i < board->n; i++) {
        pareto_task *task = &board->tasks[i];

        if (task->state != PARETO_PENDING ||
            state_of(board, task->after) != PARETO_FAILED)
            continue;
        task->state = PARETO_FAILED;
        pareto_clear_line(board);
        fprintf(stderr, "%s: not begun, for %s failed\n", task->name,
                board->tasks[task->after].name);
    }
}

/* One that can be begun, or NULL; *waits: whether there is one that is after
 * another that runs, so that it can be soon. */
static pareto_task *find_task(pareto_board *board, int *waits)
{
    *waits = 0;
    for (int64_t i = 0; i < board->n; i++) {
        pareto_task *task = &board->tasks[i];
        const int before = state_of(board, task->after);

        if (task->state == PARETO_PENDING && before == PARETO_DONE)
            return task;
        *waits |= task->state == PARETO_PENDING && before == PARETO_RUNNING;
    }
    return NULL;
}

/* The next one to do, or NULL. Whoever waits is woken by the end of a run that
 * another job has begun. */
static pareto_task *take(job *j)
{
    pareto_board *board = j->board;
    pareto_task *task = NULL;
    int waits = 1;

    pthread_mutex_lock(&board->lock);
    while (!interrupted() && waits) {
        task = find_task(board, &waits);
        if (task != NULL || !waits)
            break;
        pthread_cond_wait(&board->ended, &board->lock);
    }
    if (task != NULL)
        task->state = PARETO_RUNNING;
    j->task = task;
    pthread_mutex_unlock(&board->lock);
    return task;
}

/* `why` it failed, if it did. */
static void finish(job *j, ub_status status, const char *why,
                   const ub_search_result *r)
{
    pareto_board *board = j->board;
    pareto_task *task = j->task;
    char what[160];

    pthread_mutex_lock(&board->lock);
    j->task = NULL;
    task->state = status == UB_OK ? PARETO_DONE : PARETO_FAILED;
    if (status == UB_OK) {
        drop_checkpoint(board, task);
        snprintf(what, sizeof(what),
                 "complete, test accuracy %.4f, %.6g ms at batch 1, "
                 "%.0f seconds",
                 r->test_accuracy, r->simulated_latency_ms,
                 r->seconds[0] + r->seconds[1] + r->seconds[2]);
        pareto_say(board, task, what);
    } else if (status == UB_ERR_INTERRUPTED) {
        task->state = PARETO_PENDING;
        j->stopped = 1;
    } else {
        pareto_clear_line(board);
        fprintf(stderr, "%s: %s\n", task->name, why);
        fail_dependents(board);
    }
    pthread_cond_broadcast(&board->ended);
    pthread_mutex_unlock(&board->lock);
}

static void run_task(job *j)
{
    ub_search_result result = { .size = sizeof(result) };
    ub_status status = UB_ERR_IO;
    const char *why = "its folder cannot be used";
    char path[PARETO_PATH];
    int lock = -1;

    path_of(j->board, j->task, "", path);
    if (make_folder(path))
        lock = lock_folder(path, "program");
    if (lock >= 0) {
        remove_leftovers(path);
        status = ub_search_run(j->context, &j->task->options, j->train, j->test,
                               path, 1, &result);
        why = ub_context_last_error(j->context);
    }
    unlock_folder(lock);
    finish(j, status, why, &result);
}

static void *work(void *user)
{
    job *j = user;

    if (j->context == NULL && !open_job(j, j->board, 0))
        return NULL; /* the others do its share */
    while (!j->stopped && take(j) != NULL)
        run_task(j);
    return NULL;
}

/* The first job works in this thread. */
static void run_jobs(pareto_board *board, job *jobs)
{
    int64_t n = 1;

    for (; n < board->plan->jobs; n++) {
        jobs[n].board = board;
        if (pthread_create(&jobs[n].thread, NULL, work, &jobs[n]) != 0)
            break;
    }
    work(&jobs[0]);
    for (int64_t i = 1; i < n; i++)
        pthread_join(jobs[i].thread, NULL);
}

static int conclude(pareto_board *board)
{
    int64_t left = 0, failed = 0;

    pareto_clear_line(board);
    for (int64_t i = 0; i < board->n; i++) {
        left += board->tasks[i].state != PARETO_DONE;
        failed += board->tasks[i].state == PARETO_FAILED;
    }
    if (left == 0) {
        if (!board->plan->quiet)
            fprintf(stderr, "all %" PRId64 " runs are complete in %s\n",
                    board->n, board->plan->out);
        return 0;
    }
    if (failed > 0)
        fprintf(stderr, "%" PRId64 " of %" PRId64 " runs failed\n", failed,
                board->n);
    if (!interrupted())
        return 1;
    fputs("stopped; to go on, repeat the command\n", stderr);
    return 130;
}

static int run_board(pareto_board *board)
{
    const int64_t n = board->plan->jobs;
    job *jobs = calloc((size_t) n, sizeof(*jobs));
    int result = 1;

    if (jobs == NULL) {
        fputs("out of memory\n", stderr);
        return 1;
    }
    if (open_job(&jobs[0], board, 1) && check_tasks(board, &jobs[0])) {
        run_jobs(board, jobs);
        result = conclude(board);
    }
    for (int64_t i = 0; i < n; i++)
        close_job(&jobs[i]);
    free(jobs);
    return result;
}

static int open_board(pareto_board *board)
{
    board->n = pareto_count_tasks(board->plan);
    board->tasks = calloc((size_t) board->n, sizeof(*board->tasks));
    board->terminal = isatty(STDERR_FILENO);
    if (board->tasks != NULL && pthread_mutex_init(&board->lock, NULL) == 0) {
        if (pthread_cond_init(&board->ended, NULL) == 0) {
            pareto_fill_tasks(board->plan, board->tasks);
            return 1;
        }
        pthread_mutex_destroy(&board->lock);
    }
    free(board->tasks);
    fputs("out of memory\n", stderr);
    return 0;
}

static void close_board(pareto_board *board)
{
    pthread_cond_destroy(&board->ended);
    pthread_mutex_destroy(&board->lock);
    free(board->tasks);
}

int pareto_run_grid(const pareto_plan *plan)
{
    pareto_board board = { .plan = plan };
    int lock, result = 1;

    if (strlen(plan->out) > PARETO_PATH - 2 * PARETO_NAME) {
        fputs("--out: the path is too long\n", stderr);
        return 1;
    }
    if (!make_folder(plan->out))
        return 1;
    lock = lock_folder(plan->out, "pareto_cifar10");
    if (lock < 0)
        return 1;
    if (open_board(&board)) {
        result = run_board(&board);
        close_board(&board);
    }
    unlock_folder(lock);
    return result;
}
