"""The response profile ``fhir``: the answer as resources of HL7 FHIR R4."""
