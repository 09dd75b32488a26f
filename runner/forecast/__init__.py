"""What a run will take, said before it runs: memory, storage, time, money, signal."""
