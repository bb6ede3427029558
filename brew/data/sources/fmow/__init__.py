"""fMoW: the places on which the paper pretrains, fMoW-Sentinel's TIFFs and fMoW-RGB's JPEGs, alone and paired.

Which images there are is read from the CSV files of fMoW-Sentinel, and where an image lies follows from its name.
No folder is ever listed: fMoW-Sentinel holds thousands of empty files of failed downloads, and fMoW-RGB a coarser twin
beside every image.

Sources: Cong et al. 2022 (SatMAE, arXiv 2207.08051; doi 10.25740/vg497cb6002), Christie et al. 2018 (arXiv 1711.07846).
"""
