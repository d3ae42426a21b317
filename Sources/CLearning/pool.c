#include <pthread.h>
#include <stdlib.h>

#include "CLearning.h"

struct aegis_worker {
    struct aegis_pool *pool;
    size_t part;
    pthread_t thread;
};

struct aegis_pool {
    pthread_mutex_t lock;
    pthread_cond_t begun, met, ended;
    size_t threads;
    // Of the work under way: its number, how many parts it has and how many still run.
    size_t number, parts, running;
    // Parts that wait for the others, and how often all have met.
    size_t arrived, meetings;
    int ending;
    void (*work)(void *, size_t);
    void *context;
    struct aegis_worker workers[];
};

// How often a thread looks before it sleeps: some fifty microseconds, about what waking up costs. A
// bound, so that a neighbour on the same processor loses no more than that.
enum { LOOKS = 4000 };

static inline void breathe(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void *live(void *argument) {
    struct aegis_worker *worker = argument;
    struct aegis_pool *pool = worker->pool;
    size_t seen = 0;
    for (;;) {
        for (int look = 0; look < LOOKS; look++) {
            if (__atomic_load_n(&pool->number, __ATOMIC_RELAXED) != seen) break;
            breathe();
        }
        pthread_mutex_lock(&pool->lock);
        while (!pool->ending && pool->number == seen) pthread_cond_wait(&pool->begun, &pool->lock);
        if (pool->ending) break;
        seen = pool->number;
        const int takes_part = worker->part < pool->parts;
        void (*work)(void *, size_t) = pool->work;
        void *context = pool->context;
        pthread_mutex_unlock(&pool->lock);
        if (!takes_part) continue;
        work(context, worker->part);
        pthread_mutex_lock(&pool->lock);
        if (__atomic_sub_fetch(&pool->running, 1, __ATOMIC_RELEASE) == 0)
            pthread_cond_signal(&pool->ended);
        pthread_mutex_unlock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct aegis_pool *aegis_pool_create(size_t threads) {
    struct aegis_pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->workers[0]);
    if (!pool) return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->begun, NULL);
    pthread_cond_init(&pool->met, NULL);
    pthread_cond_init(&pool->ended, NULL);
    for (size_t index = 0; index < threads; index++) {
        struct aegis_worker *worker = &pool->workers[index];
        worker->pool = pool;
        worker->part = index + 1;
        if (pthread_create(&worker->thread, NULL, live, worker) != 0) {
            aegis_pool_destroy(pool);
            return NULL;
        }
        pool->threads = index + 1;
    }
    return pool;
}

void aegis_pool_run(struct aegis_pool *pool, size_t parts, void (*work)(void *, size_t),
                    void *context) {
    if (parts > 1) {
        pthread_mutex_lock(&pool->lock);
        pool->work = work;
        pool->context = context;
        pool->parts = parts;
        pool->running = parts - 1;
        __atomic_store_n(&pool->number, pool->number + 1, __ATOMIC_RELAXED);
        pthread_cond_broadcast(&pool->begun);
        pthread_mutex_unlock(&pool->lock);
    }
    if (parts > 0) work(context, 0);
    if (parts > 1) {
        for (int look = 0; look < LOOKS; look++) {
            if (__atomic_load_n(&pool->running, __ATOMIC_ACQUIRE) == 0) break;
            breathe();
        }
        pthread_mutex_lock(&pool->lock);
        while (pool->running > 0) pthread_cond_wait(&pool->ended, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
}

void aegis_pool_meet(struct aegis_pool *pool) {
    // Nobody is in the next meeting before this one has ended.
    const size_t meeting = __atomic_load_n(&pool->meetings, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&pool->arrived, 1, __ATOMIC_ACQ_REL) == pool->parts) {
        pthread_mutex_lock(&pool->lock);
        __atomic_store_n(&pool->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&pool->meetings, meeting + 1, __ATOMIC_RELEASE);
        pthread_cond_broadcast(&pool->met);
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    for (int look = 0; look < LOOKS; look++) {
        if (__atomic_load_n(&pool->meetings, __ATOMIC_ACQUIRE) != meeting) return;
        breathe();
    }
    pthread_mutex_lock(&pool->lock);
    while (pool->meetings == meeting) pthread_cond_wait(&pool->met, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void aegis_pool_destroy(struct aegis_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->ending = 1;
    pthread_cond_broadcast(&pool->begun);
    pthread_mutex_unlock(&pool->lock);
    for (size_t index = 0; index < pool->threads; index++)
        pthread_join(pool->workers[index].thread, NULL);
    pthread_cond_destroy(&pool->begun);
    pthread_cond_destroy(&pool->met);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
