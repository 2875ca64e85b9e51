# SPDX-License-Identifier: MIT
"""The demo's service: the ordinary WSGI entry of a small Flask program. Never edited."""
from flask import Flask

import views

app = Flask(__name__)
app.add_url_rule("/basket/<customer>", view_func=views.basket)
