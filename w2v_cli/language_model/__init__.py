"""N-gram language models: made from text, put into a model's folder, weighed on recordings.

text          sentences in a model's letters
ngram_counts  how often each n-gram occurs
kneser_ney    their smoothed probabilities
arpa          the file that they are written to
kenlm_tools   lmplz, and KenLM's binary
layout        alphabet.json and language_model/
build, attach, tune   what `w2v lm` does
"""
