# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the options in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """How to reach Google's APIs: google.cloud's options, by the same names."""

    DOCUMENTATION = r"""
options:
  project:
    description: ID of the project. Falls back to E(GCP_PROJECT). There has to be one.
    type: str
  auth_kind:
    description:
      - Where the credentials come from. Falls back to E(GCP_AUTH_KIND).
      - V(application) is what C(gcloud auth application-default login) or E(GOOGLE_APPLICATION_CREDENTIALS) gives,
        or the account of the machine.
      - V(serviceaccount) is the key of a service account.
      - V(machineaccount) is an account of the machine, which is one of Google Cloud's.
      - V(accesstoken) is a token, which cannot be renewed while the module runs.
    type: str
    choices: [application, serviceaccount, machineaccount, accesstoken]
    default: application
  service_account_file:
    description: Path of a service account's key. Falls back to E(GCP_SERVICE_ACCOUNT_FILE).
    type: path
  service_account_contents:
    description: A service account's key itself. Falls back to E(GCP_SERVICE_ACCOUNT_CONTENTS).
    type: jsonarg
  service_account_email:
    description:
      - Which of the machine's accounts is used with O(auth_kind=machineaccount). Falls back to
        E(GCP_SERVICE_ACCOUNT_EMAIL), then to the default one.
    type: str
  access_token:
    description: An access token. Falls back to E(GCP_ACCESS_TOKEN).
    type: str
  scopes:
    description:
      - Scopes of the token. Falls back to E(GCP_SCOPES), comma-separated, then to the one for all of Google Cloud.
    type: list
    elements: str
  impersonate_service_account:
    description:
      - Email of a service account to act as, which needs the role Service Account Token Creator on it.
      - Falls back to E(GOOGLE_IMPERSONATE_SERVICE_ACCOUNT), then to E(CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT).
    type: str
  api_endpoint:
    description:
      - Where Google's APIs are, with C({service}) in place of an API's name, such as
        C(https://{service}-myendpoint.p.googleapis.com) for Private Service Connect.
      - Falls back to E(DASKOPS_GCP_API_ENDPOINT).
    type: str
    default: https://{service}.googleapis.com
requirements:
  - google-auth >= 2.35 (Python library)
  - requests >= 2.32 (Python library)
"""
