"""/metrics by Prometheus' own parser, and what stands in deploy/ against it.

HANGAR_URL is the root of a running server (http://127.0.0.1:8000). Needs prometheus_client and PyYAML.
"""
import json
import os
import pathlib
import re
import unittest
import urllib.request

import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = pathlib.Path(__file__).resolve().parents[2]
URL = os.environ["HANGAR_URL"]


def get(path):
    with urllib.request.urlopen(URL + path, timeout=30) as answer:
        return answer.headers, answer.read().decode()


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def scrape():
    return list(text_string_to_metric_families(get("/metrics")[1]))


def samples(families):
    """Value by name and labels; the names of all samples with what they count for in a query."""
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = json.loads(get("/v1/models")[1])["data"][0]["id"]
        cls.before = samples(scrape())
        cls.answer = post("/v1/completions", {"model": cls.model, "prompt": "One, two, three,", "max_tokens": 8,
                                              "temperature": 0, "ignore_eos": True, "n": 2, "seed": 1})
        cls.families = scrape()
        cls.after = samples(cls.families)

    def grown(self, name, **labels):
        labels.setdefault("model_name", self.model)
        if name.startswith("vllm:"):
            labels.setdefault("engine", "0")
        key = (name, tuple(sorted(labels.items())))
        self.assertIn(key, self.after)
        return self.after[key] - self.before.get(key, 0)

    def test_content_type(self):
        self.assertEqual(get("/metrics")[0]["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")

    def test_a_request_moves_the_counters_under_both_names(self):
        usage = self.answer["usage"]
        self.assertEqual(usage["completion_tokens"], 16)
        for prefix in ("hangar_", "vllm:"):
            self.assertEqual(self.grown(prefix + "prompt_tokens_total"), usage["prompt_tokens"])
            self.assertEqual(self.grown(prefix + "generation_tokens_total"), 16)
            self.assertEqual(self.grown(prefix + "request_success_total", finished_reason="length"), 2)
            self.assertEqual(self.grown(prefix + "time_to_first_token_seconds_count"), 1)
        self.assertEqual(self.grown("hangar_inter_token_seconds_count"), 14)
        self.assertEqual(self.grown("hangar_requests_total", outcome="answered"), 1)
        self.assertGreaterEqual(self.grown("hangar_steps_total"), 8)

    def test_buckets_are_cumulative(self):
        seen = 0
        for family in self.families:
            if family.type != "histogram":
                continue
            rows = {}
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                    rows.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
            for row in rows.values():
                self.assertEqual(row, sorted(row), family.name)
                self.assertEqual([count for _, count in row], sorted(count for _, count in row), family.name)
                self.assertEqual(row[-1][0], float("inf"), family.name)
                seen += 1
        self.assertGreater(seen, 20)

    def test_every_family_is_documented(self):
        page = (ROOT / "docs/monitoring.md").read_text()
        documented = set(re.findall(r"`((?:hangar_|vllm:|process_)[a-z0-9_]+)`", page))
        # The parser takes "_total" off a counter's family name.
        exposed = {f.name + ("_total" if f.type == "counter" else "") for f in self.families}
        self.assertEqual(documented, exposed)


class Deploy(unittest.TestCase):
    def exposed(self):
        return {name for name, _ in samples(scrape())}

    def used(self, expression):
        return set(re.findall(r"\b(?:hangar|process)_[a-z0-9_]+", expression))

    def test_the_dashboard_asks_for_what_there_is(self):
        dashboard = json.loads((ROOT / "deploy/grafana/hangar.json").read_text())
        variables = {v["name"] for v in dashboard["templating"]["list"]}
        self.assertEqual(variables, {"datasource", "instance", "model"})
        used, ids = set(), set()
        for panel in dashboard["panels"]:
            self.assertNotIn(panel["id"], ids)
            ids.add(panel["id"])
            if panel["type"] == "row":
                continue
            self.assertTrue(panel["targets"], panel["title"])
            for target in panel["targets"]:
                used |= self.used(target["expr"])
        post("/tokenize", {"model": json.loads(get("/v1/models")[1])["data"][0]["id"], "prompt": "x"})
        self.assertEqual(used - self.exposed(), set())
        # Each family of ours has its place on it.
        families = {f.name + ("_total" if f.type == "counter" else "") for f in scrape() if f.name.startswith("hangar_")}
        shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} | used
        self.assertEqual(families - shown, set())

    def test_the_scrape_example_and_the_alerts(self):
        config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
        self.assertEqual([job["metrics_path"] for job in config["scrape_configs"]], ["/metrics"])
        self.assertTrue(config["scrape_configs"][0]["static_configs"][0]["targets"])
        for name in config["rule_files"]:
            rules = yaml.safe_load((ROOT / "deploy/prometheus" / name).read_text())
            for rule in (r for group in rules["groups"] for r in group["rules"]):
                self.assertTrue(rule["alert"] and rule["annotations"]["summary"])
                used = self.used(rule["expr"])
                self.assertTrue(used)
                self.assertEqual(used - self.exposed(), set(), rule["alert"])


class Health(unittest.TestCase):
    def test_all_three(self):
        for path in ("/health", "/readyz", "/livez"):
            self.assertIn(json.loads(get(path)[1])["status"], ("ok", "alive"))


if __name__ == "__main__":
    unittest.main()
