# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rule on secrets in plain text. None of these was ever a secret: letters in order."""

import string

from rule_specs import SCRIPT, Case, Sound

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef" * 2 + "01234567"
COMMIT = "a09a35458c702b33eeacc393d103063234e8bc28"


def said(
    line: int, text: str, what: str, cure: str, key: str = "secrets[0]", old: str = "[HF_TOKEN]"
) -> Case:
    return Case("secrets.plain", old, text, line, key, f"{what} stands here in plain text", cure)


CASES = [
    said(17, f"[HF_TOKEN]\noverrides: {{trainer.token: hf_{LETTERS[:34]}}}", "a Hugging Face token", "HF_TOKEN", "overrides.trainer.token"),
    said(16, f"[HF_TOKEN]  # hf_{LETTERS[:34]}", "a Hugging Face token", "secrets: [HF_TOKEN]"),
    said(17, f"[HF_TOKEN]\ndescription: with sk-proj-{LETTERS[:4]}{LETTERS[-30:]}", "an API key", "OPENAI_API_KEY", "description"),
    said(17, f"[HF_TOKEN]\ntags: [x, AKIA{LETTERS[-16:].upper()}]", "an AWS access key", "AWS_ACCESS_KEY_ID", "tags[1]"),
    said(17, f"[HF_TOKEN]\nhypothesis: ghp_{LETTERS[:36]}", "a GitHub token", "GH_TOKEN", "hypothesis"),
    said(17, f"[HF_TOKEN]\nhypothesis: glpat-{LETTERS[:20]}", "a GitLab token", "GITLAB_TOKEN", "hypothesis"),
    said(17, f"[HF_TOKEN]\nhypothesis: AIza{LETTERS[:35]}", "a Google API key", "GOOGLE_API_KEY", "hypothesis"),
    said(17, f"[HF_TOKEN]\nhypothesis: xoxb-{LETTERS[:20]}", "a Slack token", "SLACK_TOKEN", "hypothesis"),
    said(17, "[HF_TOKEN]\nhypothesis: '-----BEGIN RSA PRIVATE KEY-----'", "a private key", "PRIVATE_KEY", "hypothesis"),
    said(17, "[HF_TOKEN]\nhypothesis: get https://me:letmein@example.com/x", "a password in a URL", "PASSWORD", "hypothesis"),
    said(17, f"[HF_TOKEN]\noverrides: {{trainer.wandb_key: {HEX}}}", "a W&B key", "WANDB_API_KEY", "overrides.trainer.wandb_key"),
    said(17, f"[HF_TOKEN]\noverrides: {{trainer.api_key: {LETTERS[:20]}7}}", "a key or password", "API_KEY", "overrides.trainer.api_key"),
    Case("secrets.plain", "[python, train.py]", f"[bash, -c, 'export WANDB_API_KEY={HEX}; python train.py']", 3, "script.command[2]", "a W&B key", "WANDB_API_KEY", SCRIPT),
    Case("secrets.plain", "[python, train.py]", f"[bash, -c, 'wandb login {HEX}; python train.py']", 3, "script.command[2]", "a W&B key", "revoke it", SCRIPT),
]  # fmt: skip

SOUND = [
    Sound("secrets.plain", "revision: 060db6499f32", f"revision: {COMMIT}"),
    Sound("secrets.plain", "[HF_TOKEN]", f"[HF_TOKEN]\nimage: wandb/x@sha256:{'0a' * 32}"),
    Sound("secrets.plain", "[HF_TOKEN]", "[HF_TOKEN, WANDB_API_KEY, OPENAI_API_KEY]"),
    Sound("secrets.plain", "[HF_TOKEN]", "[HF_TOKEN]\noverrides: {trainer.pad_token: '<|endoftext|>', data.max_token_len_per_gpu: 16384}"),
    Sound("secrets.plain", "[HF_TOKEN]", "[HF_TOKEN]\ndescription: task-scheduler-of-2026-with-a-long-name, hf_transfer, sk-learn-like-names-and-more"),
    Sound("secrets.plain", "[HF_TOKEN]", "[HF_TOKEN]\ndescription: see https://example.com:8080/a@b and git@example.com"),
    Sound("secrets.plain", "[HF_TOKEN]", "[HF_TOKEN]\ntracking: {wandb: {project: gsm8k-2026-ablation}}"),
    Sound("secrets.plain", "[python, train.py]", "[bash, -c, 'export API_KEY=$API_KEY PASSWORD=${PASSWORD}; python train.py']", SCRIPT),
]  # fmt: skip
