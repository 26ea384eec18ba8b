"""Fields of a configuration about making texts word by word, which no network here does."""

from __future__ import annotations

GENERATION_FIELDS = (
    *("max_length", "min_length", "do_sample", "use_cache", "early_stopping", "num_beams"),
    *("temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty"),
    *("no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids"),
    *("num_return_sequences", "output_scores", "return_dict_in_generate"),
    *("forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values"),
    *("exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens"),
    *("epsilon_cutoff", "eta_cutoff", "encoder_repetition_penalty", "num_assistant_tokens"),
    *("num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_lookbehind"),
    *("target_lookbehind", "num_beam_groups", "diversity_penalty"),
)
"""Older folders have some of them; as published, they are neither kept nor saved."""
