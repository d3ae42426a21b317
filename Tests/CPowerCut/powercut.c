#include "powercut.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define FILES 16
#define SECTOR 512
#define REGIONS 8
static const char prefix[] = "/powercut/";

struct bytes {
    unsigned char *data;
    size_t count;
};

struct change {
    struct change *next;
    /* A truncation where there are no bytes. */
    struct bytes written;
    size_t offset;
};

struct file {
    char path[256];
    int exists;         /* for the process */
    int durable_exists; /* after a cut */
    struct bytes now, durable;
    struct change *first, **last;
    void *regions[REGIONS];
};

struct handle {
    sqlite3_file base;
    struct file *file;
    unsigned generation;
    int delete_on_close;
};

static struct file files[FILES];
static unsigned generation;
static uint64_t armed, operations;
static int dead, lying;
static sqlite3_vfs *system_vfs;

/* splitmix64 */
static uint64_t random_state;
static uint64_t random_word(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void resize(struct bytes *bytes, size_t count)
{
    if (count > bytes->count) {
        bytes->data = realloc(bytes->data, count);
        memset(bytes->data + bytes->count, 0, count - bytes->count);
    }
    bytes->count = count;
}

static void put(struct bytes *bytes, size_t offset, const void *data, size_t count)
{
    if (offset + count > bytes->count) resize(bytes, offset + count);
    memcpy(bytes->data + offset, data, count);
}

static void forget_changes(struct file *file)
{
    while (file->first) {
        struct change *change = file->first;
        file->first = change->next;
        free(change->written.data);
        free(change);
    }
    file->last = &file->first;
}

static void apply(struct bytes *bytes, const struct change *change)
{
    if (change->written.data)
        put(bytes, change->offset, change->written.data, change->written.count);
    else
        resize(bytes, change->offset);
}

static void copy(struct bytes *to, const struct bytes *from)
{
    resize(to, 0);
    if (from->count) put(to, 0, from->data, from->count);
}

/* Whether the operation happens. */
static int alive(void)
{
    if (dead) return 0;
    operations++;
    if (armed && operations == armed) dead = 1;
    return !dead;
}

static struct file *find(const char *path, int make)
{
    for (int index = 0; index < FILES; index++)
        if (files[index].path[0] && !strcmp(files[index].path, path)) return &files[index];
    for (int index = 0; make && index < FILES; index++)
        if (!files[index].path[0] && strlen(path) < sizeof files[index].path) {
            strcpy(files[index].path, path);
            files[index].last = &files[index].first;
            return &files[index];
        }
    return NULL;
}

static int usable(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base;
    return !dead && handle->generation == generation && handle->file->exists;
}

static int disk_close(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base;
    if (usable(base) && handle->delete_on_close) handle->file->exists = 0;
    return SQLITE_OK;
}

static int disk_read(sqlite3_file *base, void *buffer, int count, sqlite3_int64 offset)
{
    if (!usable(base)) return SQLITE_IOERR_READ;
    const struct bytes *bytes = &((struct handle *)base)->file->now;
    size_t start = (size_t)offset;
    size_t found = start < bytes->count ? bytes->count - start : 0;
    if (found > (size_t)count) found = (size_t)count;
    if (found) memcpy(buffer, bytes->data + start, found);
    if (found == (size_t)count) return SQLITE_OK;
    memset((char *)buffer + found, 0, (size_t)count - found);
    return SQLITE_IOERR_SHORT_READ;
}

static void record(struct file *file, const void *data, size_t count, size_t offset)
{
    struct change *change = calloc(1, sizeof *change);
    change->offset = offset;
    if (data) put(&change->written, 0, data, count);
    *file->last = change;
    file->last = &change->next;
    apply(&file->now, change);
}

static int disk_write(sqlite3_file *base, const void *data, int count, sqlite3_int64 offset)
{
    if (!usable(base) || !alive()) return SQLITE_IOERR_WRITE;
    record(((struct handle *)base)->file, data, (size_t)count, (size_t)offset);
    return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 count)
{
    if (!usable(base) || !alive()) return SQLITE_IOERR_TRUNCATE;
    record(((struct handle *)base)->file, NULL, 0, (size_t)count);
    return SQLITE_OK;
}

static int disk_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    if (!usable(base) || !alive()) return SQLITE_IOERR_FSYNC;
    if (lying) return SQLITE_OK;
    struct file *file = ((struct handle *)base)->file;
    for (struct change *change = file->first; change; change = change->next)
        apply(&file->durable, change);
    forget_changes(file);
    if (!file->durable_exists) {
        /* The first flush of a new file flushes its directory too. */
        file->durable_exists = 1;
        for (int index = 0; index < FILES; index++)
            if (!files[index].exists) files[index].durable_exists = 0;
    }
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size)
{
    if (!usable(base)) return SQLITE_IOERR_FSTAT;
    *size = (sqlite3_int64)((struct handle *)base)->file->now.count;
    return SQLITE_OK;
}

static int disk_lock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int disk_reserved(sqlite3_file *base, int *reserved)
{
    (void)base;
    *reserved = 0;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

static int disk_character(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int disk_map(sqlite3_file *base, int region, int size, int extend, void volatile **memory)
{
    struct file *file = ((struct handle *)base)->file;
    *memory = NULL;
    if (!usable(base) || region >= REGIONS) return SQLITE_IOERR_SHMMAP;
    if (!file->regions[region] && extend) file->regions[region] = calloc(1, (size_t)size);
    *memory = file->regions[region];
    return SQLITE_OK;
}

static int disk_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    (void)base, (void)offset, (void)count, (void)flags;
    return SQLITE_OK;
}

static void disk_barrier(sqlite3_file *base) { (void)base; }

static void forget_regions(struct file *file)
{
    for (int region = 0; region < REGIONS; region++) {
        free(file->regions[region]);
        file->regions[region] = NULL;
    }
}

static int disk_unmap(sqlite3_file *base, int remove)
{
    struct handle *handle = (struct handle *)base;
    if (remove && handle->generation == generation) forget_regions(handle->file);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    2, disk_close, disk_read, disk_write, disk_truncate, disk_sync, disk_size, disk_lock,
    disk_lock, disk_reserved, disk_control, disk_sector, disk_character, disk_map,
    disk_shm_lock, disk_barrier, disk_unmap, NULL, NULL,
};

static int is_here(const char *path) { return path && !strncmp(path, prefix, sizeof prefix - 1); }

static int disk_open(
    sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags)
{
    (void)vfs;
    if (!is_here(path)) return system_vfs->xOpen(system_vfs, path, base, flags, out_flags);
    struct handle *handle = (struct handle *)base;
    memset(handle, 0, sizeof *handle);
    if (dead) return SQLITE_CANTOPEN;
    struct file *file = find(path, 1);
    if (!file) return SQLITE_CANTOPEN;
    if (!file->exists) {
        if (!(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
        if (!alive()) return SQLITE_CANTOPEN;
        file->exists = 1;
        resize(&file->now, 0);
        if (!file->durable_exists) {
            resize(&file->durable, 0);
            forget_changes(file);
        } else {
            record(file, NULL, 0, 0);
        }
    }
    handle->file = file;
    handle->generation = generation;
    handle->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    handle->base.pMethods = &methods;
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    if (!is_here(path)) return system_vfs->xDelete(system_vfs, path, sync);
    struct file *file = find(path, 0);
    if (!file || !file->exists) return SQLITE_IOERR_DELETE_NOENT;
    if (!alive()) return SQLITE_IOERR_DELETE;
    file->exists = 0;
    if (sync) file->durable_exists = 0;
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *path, int flags, int *result)
{
    (void)vfs;
    if (!is_here(path)) return system_vfs->xAccess(system_vfs, path, flags, result);
    struct file *file = find(path, 0);
    *result = !dead && file && file->exists;
    return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *path, int count, char *result)
{
    (void)vfs;
    if (!is_here(path)) return system_vfs->xFullPathname(system_vfs, path, count, result);
    if ((int)strlen(path) >= count) return SQLITE_CANTOPEN;
    strcpy(result, path);
    return SQLITE_OK;
}

int powercut_install(void)
{
    static sqlite3_vfs vfs;
    if (system_vfs) return SQLITE_OK;
    sqlite3_vfs *found = sqlite3_vfs_find(NULL);
    if (!found) return SQLITE_ERROR;
    vfs = *found;
    vfs.pNext = NULL;
    vfs.zName = "powercut";
    if (vfs.szOsFile < (int)sizeof(struct handle)) vfs.szOsFile = (int)sizeof(struct handle);
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    vfs.xAccess = disk_access;
    vfs.xFullPathname = disk_full_path;
    system_vfs = found;
    return sqlite3_vfs_register(&vfs, 1);
}

void powercut_clear(void)
{
    for (int index = 0; index < FILES; index++) {
        forget_changes(&files[index]);
        forget_regions(&files[index]);
        free(files[index].now.data);
        free(files[index].durable.data);
        memset(&files[index], 0, sizeof files[index]);
        files[index].last = &files[index].first;
    }
    generation++;
    dead = lying = 0;
    armed = operations = 0;
}

void powercut_lie(void) { lying = 1; }

void powercut_arm(uint64_t count)
{
    armed = count;
    operations = 0;
}

int powercut_is_dead(void) { return dead; }

uint64_t powercut_operations(void) { return operations; }

/* Some of the sectors of some of the changes, in any mixture. */
static void lose(struct file *file)
{
    for (struct change *change = file->first; change; change = change->next) {
        if (!change->written.data) {
            if (random_word() & 1) apply(&file->durable, change);
            continue;
        }
        size_t done = 0;
        while (done < change->written.count) {
            size_t position = change->offset + done;
            size_t part = SECTOR - position % SECTOR;
            if (part > change->written.count - done) part = change->written.count - done;
            if (random_word() & 1)
                put(&file->durable, position, change->written.data + done, part);
            done += part;
        }
    }
}

void powercut_revive(uint64_t seed)
{
    random_state = seed;
    for (int index = 0; index < FILES; index++) {
        struct file *file = &files[index];
        if (!file->path[0]) continue;
        lose(file);
        forget_changes(file);
        forget_regions(file);
        /* A name that was not flushed is there or not. */
        if (file->exists != file->durable_exists) file->durable_exists = (int)(random_word() & 1);
        file->exists = file->durable_exists;
        if (!file->exists) resize(&file->durable, 0);
        copy(&file->now, &file->durable);
    }
    generation++;
    dead = 0;
    armed = operations = 0;
}
