def prps(iova, length, page=4096):
    second = iova - iova % page + page
    return [iova, *range(second, iova + length, page)]
