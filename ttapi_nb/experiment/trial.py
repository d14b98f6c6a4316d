class Trial:
    pass
