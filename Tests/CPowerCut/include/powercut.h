#ifndef AEGIS_POWERCUT_H
#define AEGIS_POWERCUT_H

#include <stdint.h>

/*
 * A disk in memory for SQLite, which loses at a power cut what was not flushed. Files whose path
 * begins with "/powercut/" lie on it; all others are the system's.
 *
 * A cut keeps what was flushed, and of the rest any sectors of 512 bytes, chosen by `seed`. A new
 * file's name, and the removal of one, last from the next flush of a file that is new.
 */
int powercut_install(void);

/* Forgets all files, and is honest. */
void powercut_clear(void);

/* From now on flushes are promised and not done. */
void powercut_lie(void);

/* The power fails at the write, flush, truncation, creation or removal with this number from now,
 * counted from 1; that one does not happen. 0: never. */
void powercut_arm(uint64_t operations);

/* Whether it has failed. */
int powercut_is_dead(void);

/* How many operations there were since the last arming. */
uint64_t powercut_operations(void);

/* The state of the disk after the cut, with power again. Handles from before give errors. */
void powercut_revive(uint64_t seed);

#endif
