/* study/study.h - shoal study: experiments that run this very program again and
 * again */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

/* argv[0] is "study". Returns the exit code, as all commands do. */
int study_command(int argc, char *argv[]);

/* Its parts; argv[0] is the part's name. */
int study_scaling(int argc, char *argv[]);
int study_point(int argc, char *argv[]);
int study_attention(int argc, char *argv[]);

#endif
