/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

extern const ub__loops ub__loops_portable;
#ifdef UB__LOOPS_AVX2
extern const ub__loops ub__loops_avx2;
#endif
#ifdef UB__LOOPS_AVX512
extern const ub__loops ub__loops_avx512;
#endif

/* What its loops are compiled for, each feature asked for by name: machines
 * may hide any of them. */
#ifdef UB__LOOPS_AVX2
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#ifdef UB__LOOPS_AVX512
static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

const ub__loops *ub__loops_for(const ub_context *context)
{
    /* 2 is for tests: not the widest vectors. */
    int portable = ub__context_portable(context);

    if (portable == 1)
        return &ub__loops_portable;
#ifdef UB__LOOPS_AVX512
    if (portable != 2 && has_avx512())
        return &ub__loops_avx512;
#endif
#ifdef UB__LOOPS_AVX2
    if (has_avx2())
        return &ub__loops_avx2;
#endif
    return &ub__loops_portable;
}

const ub__loops *ub__loops_for_batch(const ub_context *context, int64_t batch)
{
    const ub__loops *loops = ub__loops_for(context);

#if defined UB__LOOPS_AVX2 && defined UB__LOOPS_AVX512
    /* What has the one has the other. */
    if (loops == &ub__loops_avx512 && batch <= ub__loops_avx2.lanes)
        return &ub__loops_avx2;
#else
    (void) batch;
#endif
    return loops;
}

int64_t ub__tasks_for(const ub_context *context, double work, int64_t limit)
{
    /* A job costs about what 4 Ki elements cost. */
    double worth = work / 4096.0;
    int64_t threads = ub_context_threads(context);
    int64_t tasks = worth < 1.0 ? 1 : worth < 1e6 ? (int64_t) worth : 1000000;

    if (threads == 1)
        return 1;
    if (tasks > 4 * threads)
        tasks = 4 * threads;
    if (tasks > limit)
        tasks = limit;
    return tasks < 1 ? 1 : tasks;
}
