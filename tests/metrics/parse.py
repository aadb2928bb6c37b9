"""Parses OpenMetrics pages, a JSON list of texts, by the strict parser of prometheus-client; prints what each holds, or why it is none."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def parse(page):
    try:
        families = list(text_string_to_metric_families(page))
    except Exception as error:
        return {"error": repr(error)}
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]
    if len(set(series)) != len(series):
        return {"error": "a series is there twice"}
    return {
        "families": [
            {
                "name": family.name,
                "type": family.type,
                "unit": family.unit,
                "help": family.documentation,
                "samples": [{"name": sample.name, "labels": sample.labels, "value": repr(sample.value)} for sample in family.samples],
            }
            for family in families
        ]
    }


json.dump([parse(page) for page in json.load(sys.stdin)], sys.stdout)
