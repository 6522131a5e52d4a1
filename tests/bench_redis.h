/*
** bench_redis.h - a Redis server of its own, as a child of a benchmark, and one
** blocking client of it: what the library is compared with.
**
**     Redis redis;
**     if (redis_open(&redis, "always", 0)) {     1: over loopback, by TCP
**       redis_do(&redis, "SET k v");
**       redis_close(&redis);
**     }
**
** The server keeps an append-only file in a directory of its own, which goes
** with it.  A Unix socket is the faster way to it, TCP the usual one.
*/
#ifndef BENCH_REDIS_H
#define BENCH_REDIS_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

typedef struct Redis {
  pid_t pid;
  int fd;
  int iPort; /* of 127.0.0.1; 0: a Unix socket */
  char zDir[64];
  char aBuf[1 << 16];
  int n, i; /* bytes in aBuf, and how many are read */
} Redis;

static inline void redis_need(int bOk, const char *zWhat) {
  if (bOk) return;
  printf("bench: redis: %s\n", zWhat);
  exit(1);
}

static inline int redis_byte(Redis *r) {
  if (r->i == r->n) {
    ssize_t n = read(r->fd, r->aBuf, sizeof(r->aBuf));
    redis_need(n > 0, "the connection ended");
    r->n = (int)n;
    r->i = 0;
  }
  return (unsigned char)r->aBuf[r->i++];
}

static inline void redis_line(Redis *r, char *z, int n) {
  int i = 0, ch;
  while ((ch = redis_byte(r)) != '\n') {
    if (ch != '\r' && i < n - 1) z[i++] = (char)ch;
  }
  z[i] = 0;
}

/* Read a reply.  Texts that look like the id of an entry go to xId. */
static inline void redis_reply(Redis *r, void (*xId)(void *, const char *),
                               void *pArg) {
  char zLine[256];
  int i, n;
  redis_line(r, zLine, sizeof(zLine));
  redis_need(zLine[0] != '-', zLine);
  n = atoi(zLine + 1);
  if (zLine[0] == '*') {
    for (i = 0; i < n; i++) redis_reply(r, xId, pArg);
  } else if (zLine[0] == '$' && n >= 0) {
    char zText[256];
    for (i = 0; i < n + 2; i++) {
      int ch = redis_byte(r);
      if (i < n && i < 255) zText[i] = (char)ch;
    }
    zText[n < 255 ? n : 255] = 0;
    if (xId && strchr(zText, '-') && n < 40) xId(pArg, zText);
  }
}

static inline void redis_send(Redis *r, const char *z, size_t n) {
  redis_need(write(r->fd, z, n) == (ssize_t)n, "cannot send");
}

/* A command of words between blanks; its reply is only checked. */
static inline void redis_do(Redis *r, const char *zCommand) {
  char z[400];
  int n = snprintf(z, sizeof(z), "%s\r\n", zCommand);
  redis_send(r, z, (size_t)n);
  redis_reply(r, NULL, NULL);
}

/* A port of 127.0.0.1 that nobody listens on. */
static inline int redis_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t n = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  redis_need(bind(fd, (struct sockaddr *)&address, n) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &n) == 0,
             "no port");
  close(fd);
  return ntohs(address.sin_port);
}

/* The child; does not come back. */
static inline void redis_serve(const Redis *r, const char *zFsync) {
  char zPort[16], zSocket[100];
  snprintf(zPort, sizeof(zPort), "%d", r->iPort);
  snprintf(zSocket, sizeof(zSocket), "%s/s", r->zDir);
  redis_need(freopen("/dev/null", "w", stdout) != NULL, "no /dev/null");
  execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port", zPort,
         "--unixsocket", zSocket, "--dir", r->zDir, "--appendonly", "yes",
         "--appendfsync", zFsync, "--save", "", (char *)NULL);
  _exit(1);
}

/* One try to connect; 1 when it did. */
static inline int redis_connect(Redis *r) {
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  struct sockaddr_in address = {.sin_family = AF_INET};
  int bOn = 1, rc;
  if (r->iPort) {
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)r->iPort);
    setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &bOn, sizeof(bOn));
    rc = connect(r->fd, (struct sockaddr *)&address, sizeof(address));
  } else {
    r->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(local.sun_path, sizeof(local.sun_path), "%s/s", r->zDir);
    rc = connect(r->fd, (struct sockaddr *)&local, sizeof(local));
  }
  if (rc) close(r->fd);
  return rc == 0;
}

/* Start a server and connect to it; 0 when there is no redis-server.  zFsync:
** everysec, always or no.  Call it before this process opens a database. */
static inline int redis_open(Redis *r, const char *zFsync, int bLoopback) {
  int i;
  memset(r, 0, sizeof(*r));
  if (system("command -v redis-server >/dev/null 2>&1")) return 0;
  strcpy(r->zDir, "/tmp/steward-redis-XXXXXX");
  redis_need(mkdtemp(r->zDir) != NULL, "no directory");
  if (bLoopback) r->iPort = redis_port();
  fflush(NULL);
  r->pid = fork();
  if (r->pid == 0) redis_serve(r, zFsync);
  for (i = 0; i < 1000; i++) {
    if (redis_connect(r)) return 1;
    usleep(10000);
  }
  redis_need(0, "it does not answer");
  return 0;
}

static inline void redis_close(Redis *r) {
  char zRemove[100];
  kill(r->pid, SIGTERM);
  waitpid(r->pid, NULL, 0);
  close(r->fd);
  snprintf(zRemove, sizeof(zRemove), "rm -r %s", r->zDir);
  if (system(zRemove)) printf("bench: %s is left\n", r->zDir);
}

#endif
