# Creates files of 1 KB in a directory, so many at a time: create-files.py DIRECTORY COUNT WRITERS [sync]
import os
import sys
import threading

directory, count, writers, sync = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["sync"]
content = b"line\n" * 200
failed = []


def write(writer):
    try:
        for index in range(writer, count, writers):
            file = os.open(f"{directory}/file-{index}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(file, content)
            # What close acknowledges of a mount is durable.
            if sync:
                os.fsync(file)
            os.close(file)
    except OSError as error:
        failed.append(error)


threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failed:
    sys.exit(str(failed[0]))
